/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words behind options: what is understood, and what is refused. */
#include "cli/argument.h"
#include "tests/lib/test.h"

/* 2026-11-23T18:00:00Z */
#define NOW INT64_C (1795456800)
#define DAY (24 * 3600)

static void
test_number (void)
{
  static const struct {
    const char *name;
    const char *text;
    bool good;
    uint64_t value;
  } rows[] = {
    { "smallest", "1", true, 1 },
    { "largest", "100", true, 100 },
    { "below", "0", false, 0 },
    { "above", "101", false, 0 },
    { "empty", "", false, 0 },
    { "sign", "+5", false, 0 },
    { "negative", "-5", false, 0 },
    { "space before", " 5", false, 0 },
    { "space behind", "5 ", false, 0 },
    { "hexadecimal", "0x10", false, 0 },
    { "more than 64 bits", "99999999999999999999", false, 0 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    uint64_t value = 0;
    bool good = vtree_argument_number ("--n", rows[i].text, 1, 100, &value, &error);

    g_test_message ("%s", rows[i].name);
    g_assert_true (good == rows[i].good);
    g_assert_cmpuint (value, ==, rows[i].value);
    if (!good)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "--n");
  }
}

static void
test_expires (void)
{
  static const struct {
    const char *name;
    const char *text;
    int64_t value; /* 0: refused */
  } rows[] = {
    { "seconds", "90s", NOW + 90 },
    { "minutes", "5m", NOW + 300 },
    { "hours", "12h", NOW + 12 * 3600 },
    { "days", "30d", NOW + 30 * DAY },
    { "weeks", "2w", NOW + 14 * DAY },
    { "years", "1y", NOW + 365 * DAY },
    { "a time", "2026-11-24T18:00:00Z", NOW + DAY },
    { "a time that has passed", "2026-11-22T18:00:00Z", 0 },
    { "now", "2026-11-23T18:00:00Z", 0 },
    { "nothing ahead", "0d", 0 },
    { "no unit", "30", 0 },
    { "no number", "d", 0 },
    { "empty", "", 0 },
    { "unknown unit", "3q", 0 },
    { "two units", "1d2h", 0 },
    { "negative", "-1d", 0 },
    { "over the last year", "9999y", 0 },
    { "overflow", "99999999999999d", 0 },
    { "local time", "2026-11-24 18:00:00", 0 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    int64_t value = 0;
    bool good = vtree_argument_expires (rows[i].text, NOW, &value, &error);

    g_test_message ("%s", rows[i].name);
    g_assert_true (good == (rows[i].value != 0));
    g_assert_cmpint (value, ==, rows[i].value);
    if (!good)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "--expires");
  }
}

static void
test_wait (void)
{
  g_autoptr (GError) error = NULL;
  int seconds = 7;

  g_assert_true (vtree_argument_wait ("-1", &seconds, &error));
  g_assert_cmpint (seconds, ==, -1);
  g_assert_true (vtree_argument_wait ("0", &seconds, &error));
  g_assert_cmpint (seconds, ==, 0);
  g_assert_false (vtree_argument_wait ("-2", &seconds, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "--wait");
  g_assert_cmpint (seconds, ==, 0);
}

static void
test_threads (void)
{
  g_autoptr (GError) error = NULL;
  unsigned threads = 7;

  g_assert_true (vtree_argument_threads ("1024", &threads, &error));
  g_assert_cmpuint (threads, ==, 1024);
  g_assert_false (vtree_argument_threads ("0", &threads, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "--threads");
}

static void
test_key_name (void)
{
  static const struct {
    const char *name;
    const char *text;
    bool good;
  } rows[] = {
    { "plain", "default", true },   { "all that may be", "a.B_9+x@host-1", true },
    { "empty", "", false },         { "hidden", ".a", false },
    { "an option", "-a", false },   { "a path", "a/b", false },
    { "upwards", "..", false },     { "a space", "a b", false },
    { "a newline", "a\nb", false }, { "not ASCII", "\xc3\xa4", false },
  };
  g_autofree char *longest = g_strnfill (100, 'a');
  g_autofree char *longer = g_strnfill (101, 'a');

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_test_message ("%s", rows[i].name);
    g_assert_true (vtree_argument_key_name (rows[i].text, NULL) == rows[i].good);
  }
  g_assert_true (vtree_argument_key_name (longest, NULL));
  g_assert_false (vtree_argument_key_name (longer, NULL));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/argument/number", test_number);
  g_test_add_func ("/cli/argument/expires", test_expires);
  g_test_add_func ("/cli/argument/wait", test_wait);
  g_test_add_func ("/cli/argument/threads", test_threads);
  g_test_add_func ("/cli/argument/key-name", test_key_name);
  return vtree_test_run ();
}
