/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What every unit test binary stands on: GLib's test runner, plus a check that no
 * descriptor is left open at the end, a temporary directory, skips that CI does not
 * forgive, and faults in reads, writes, syncs and the making of threads.
 *
 *   int
 *   main (int argc, char **argv)
 *   {
 *     vtree_test_init (&argc, &argv);
 *     g_test_add_func ("/core/fd/closes", test_closes);
 *     return vtree_test_run ();
 *   }
 *
 * GLib prints the seed of g_test_rand_*() first; run the binary with --seed=… to
 * repeat.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* First thing in main(): takes stock of the open descriptors, then g_test_init(). */
void vtree_test_init (int *argc, char ***argv);

/* Last thing in main(), its exit status: runs the tests, removes the temporary
 * directory, and fails if a descriptor is open that was not open at _init. */
int vtree_test_run (void);

/* Says why the current test can't run, and marks it as skipped; a failure when CI or
 * VTREE_REQUIRE_ALL is set to anything but empty. Return from the test afterwards. */
void vtree_test_skip (const char *reason);

/* A new empty directory, 0700, below one temporary directory of this process, which is
 * removed with all that is in it by _run. Free with g_free(). */
char *vtree_test_make_dir (void);

/* The calls that a fault can hit, made anywhere in the code under test. */
typedef enum {
  VTREE_TEST_READ,  /* read, pread */
  VTREE_TEST_WRITE, /* write, pwrite */
  VTREE_TEST_SYNC,  /* fsync, fdatasync, syncfs */
  VTREE_TEST_THREAD /* g_thread_try_new; ERRNUM is no matter */
} VtreeTestCall;

/* After COUNT calls that go through, every call of that kind fails with ERRNUM, until
 * _clear. */
void vtree_test_fault_fail (VtreeTestCall call, unsigned count, int errnum);

/* Each read or write transfers at most MAX bytes (1 or more), until _clear. */
void vtree_test_fault_short (VtreeTestCall call, size_t max);

/* Calls of that kind seen since the last _clear. */
unsigned vtree_test_fault_calls (VtreeTestCall call);

/* Takes all faults away, and sets the counts to 0. */
void vtree_test_fault_clear (void);

/* Use the macro below: ERROR is of DOMAIN and CODE, and its message contains PART
 * (NULL: any). */
void vtree_test_check_error (const char *where, const GError *error, GQuark domain,
                             int code, const char *part);

#define vtree_test_assert_error(error, domain, code, part)                             \
  vtree_test_check_error (G_STRLOC, (error), (domain), (code), (part))

/* GLib 2.74's g_assert_cmpmem() does not survive -Wconversion. */
#define vtree_test_assert_bytes(a, a_size, b, b_size)                                  \
  G_STMT_START                                                                         \
  {                                                                                    \
    size_t test_a_ = (a_size), test_b_ = (b_size);                                     \
    g_assert_cmpuint (test_a_, ==, test_b_);                                           \
    g_assert_true (test_a_ == 0 || memcmp ((a), (b), test_a_) == 0);                   \
  }                                                                                    \
  G_STMT_END

/* Digests are compared as text, so that a failure shows both. With "core/digest.h". */
#define vtree_test_assert_digest_text(digest, text)                                    \
  G_STMT_START                                                                         \
  {                                                                                    \
    char test_text_[VTREE_DIGEST_TEXT_MAX];                                            \
    g_assert_cmpstr (vtree_digest_format ((digest), test_text_), ==, (text));          \
  }                                                                                    \
  G_STMT_END

#define vtree_test_assert_digest_equal(a, b)                                           \
  G_STMT_START                                                                         \
  {                                                                                    \
    char test_a_[VTREE_DIGEST_TEXT_MAX], test_b_[VTREE_DIGEST_TEXT_MAX];               \
    g_assert_cmpstr (vtree_digest_format ((a), test_a_), ==,                           \
                     vtree_digest_format ((b), test_b_));                              \
  }                                                                                    \
  G_STMT_END
