/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two error domains. Owns: what a caller can be told. Errors never print.
 *
 * VTREE_ERROR says what the caller can do differently; VTREE_ERRNO_ERROR carries
 * a system call's errno unchanged in its code. A message reads "operation, object,
 * cause"; callers add prefixes with g_prefix_error() on the way up.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VTREE_ERROR (vtree_error_quark ())
#define VTREE_ERRNO_ERROR (vtree_errno_error_quark ())

typedef enum {
  VTREE_ERROR_INVALID,     /* what the caller passed is malformed (usage) */
  VTREE_ERROR_CORRUPT,     /* bytes are not what was signed, or not well-formed */
  VTREE_ERROR_UNTRUSTED,   /* no valid signature by a key that may sign this */
  VTREE_ERROR_ROLLBACK,    /* older than what was accepted before */
  VTREE_ERROR_EXPIRED,     /* the statement's time has passed */
  VTREE_ERROR_UNSUPPORTED, /* this system or format version can't */
  VTREE_ERROR_LIMIT,       /* over a documented bound */
  VTREE_ERROR_MISSING,     /* object, ref, version or key does not exist */
  VTREE_ERROR_BUSY,        /* somebody else holds the lock */
  VTREE_ERROR_FAILED,      /* nothing the caller could do differently */
} VtreeErrorCode;

/* The domain of VtreeErrorCode. */
GQuark vtree_error_quark (void);

/* The domain whose codes are errno values. */
GQuark vtree_errno_error_quark (void);

/* Sets a VTREE_ERROR. Always returns false, so that "return vtree_error_set (…)"
 * leaves a bool function with its error. */
bool vtree_error_set (GError **error, VtreeErrorCode code, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

/* Sets a VTREE_ERRNO_ERROR with code ERRNUM (positive) and the message
 * "<format>: <strerror>". Always returns false. */
bool vtree_error_set_errno (GError **error, int errnum, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

/* The same, but the caller's compiler and analyzers see that the result is false: that
 * an out-parameter is not set where a function returns it. */
#define vtree_error_set(...)                                                           \
  ({                                                                                   \
    vtree_error_set (__VA_ARGS__);                                                     \
    false;                                                                             \
  })
#define vtree_error_set_errno(...)                                                     \
  ({                                                                                   \
    vtree_error_set_errno (__VA_ARGS__);                                               \
    false;                                                                             \
  })

/* The text NAME with everything but printable ASCII and valid UTF-8 letters escaped as
 * in C ("\n", "\xff"), so that no file name breaks a message's one line. */
char *vtree_error_escape (const char *name, gssize length);

/* MESSAGE as the one line that is shown to a person: as vtree_error_escape(), but a
 * backslash stays, for names in it have been escaped already where they were put in. */
char *vtree_error_line (const char *message);
