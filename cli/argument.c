/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the grammar of option values; touches nothing but the text. */
#include "cli/argument.h"
#include "manifest/statement.h"

#include <string.h>

#define THREADS_MAX 1024
#define KEY_NAME_MAX 100
/* the last second that "YYYY-MM-DDThh:mm:ssZ" can say */
#define TIME_MAX INT64_C (253402300799)

static bool
is_digits (const char *text)
{
  return text[0] != '\0' && text[strspn (text, "0123456789")] == '\0';
}

bool
vtree_argument_number (const char *what, const char *text, uint64_t min, uint64_t max,
                       uint64_t *number, GError **error)
{
  g_autofree char *escaped = NULL;

  if (is_digits (text) && g_ascii_string_to_unsigned (text, 10, min, max, number, NULL))
    return true;
  escaped = vtree_error_escape (text, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "%s: '%s' is no number from %" G_GUINT64_FORMAT
                          " to %" G_GUINT64_FORMAT,
                          what, escaped, min, max);
}

bool
vtree_argument_wait (const char *text, int *seconds, GError **error)
{
  uint64_t number;

  if (strcmp (text, "-1") == 0) {
    *seconds = -1;
    return true;
  }
  if (!vtree_argument_number ("--wait", text, 0, G_MAXINT, &number, error))
    return false;
  *seconds = (int) number;
  return true;
}

bool
vtree_argument_threads (const char *text, unsigned *threads, GError **error)
{
  uint64_t number;

  if (!vtree_argument_number ("--threads", text, 1, THREADS_MAX, &number, error))
    return false;
  *threads = (unsigned) number;
  return true;
}

/* Seconds that the letter UNIT stands for, 0 for none. */
static int64_t
unit_seconds (char unit)
{
  static const struct {
    char unit;
    int64_t seconds;
  } units[] = { { 's', 1 },
                { 'm', 60 },
                { 'h', 3600 },
                { 'd', 24 * 3600 },
                { 'w', 7 * 24 * 3600 },
                { 'y', 365 * 24 * 3600 } };

  for (size_t i = 0; i < G_N_ELEMENTS (units); i++)
    if (units[i].unit == unit)
      return units[i].seconds;
  return 0;
}

/* TEXT as a span like "30d" after NOW. */
static bool
parse_span (const char *text, int64_t now, int64_t *time)
{
  size_t digits = strspn (text, "0123456789");
  g_autofree char *number = g_strndup (text, digits);
  int64_t unit = unit_seconds (text[digits]);
  gint64 count;

  if (unit == 0 || text[digits + 1] != '\0'
      || !g_ascii_string_to_signed (number, 10, 0, TIME_MAX, &count, NULL))
    return false;
  return !__builtin_mul_overflow (count, unit, time)
         && !__builtin_add_overflow (*time, now, time) && *time <= TIME_MAX;
}

bool
vtree_argument_verity (const char *text, VtreeVerityPolicy *policy, GError **error)
{
  return vtree_verity_policy_parse (text, policy)
         || vtree_error_set (error, VTREE_ERROR_INVALID,
                             "--verity: '%s' is none of auto, require and off", text);
}

bool
vtree_argument_expires (const char *text, int64_t now, int64_t *expires, GError **error)
{
  g_autofree char *escaped = NULL;
  int64_t time;

  if (!vtree_time_parse (text, &time) && !parse_span (text, now, &time)) {
    escaped = vtree_error_escape (text, -1);
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--expires: '%s' is neither a time like "
                            "2027-01-31T00:00:00Z nor a span like 30d, 12h or 1y",
                            escaped);
  }
  if (time <= now)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "--expires: '%s' is not ahead",
                            text);
  *expires = time;
  return true;
}

bool
vtree_argument_key_name (const char *text, GError **error)
{
  static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789._+@-";
  size_t length = strlen (text);
  g_autofree char *escaped = NULL;

  if (length > 0 && length <= KEY_NAME_MAX && text[0] != '.' && text[0] != '-'
      && strspn (text, allowed) == length)
    return true;
  escaped = vtree_error_escape (text, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "'%s' is no name of a key: up to 100 letters, digits and "
                          "._+@-, none of .- first",
                          escaped);
}
