/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the one way to write a time in a root statement. Reads no clock.
 */
#include "manifest/statement.h"

#include <string.h>

char *
vtree_time_format (int64_t seconds)
{
  if (seconds < 0 || seconds > VTREE_TIME_MAX)
    return g_strdup_printf ("@%" G_GINT64_FORMAT, seconds);
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (seconds);
  return g_strdup_printf ("%04d-%02d-%02dT%02d:%02d:%02dZ", g_date_time_get_year (time),
                          g_date_time_get_month (time),
                          g_date_time_get_day_of_month (time),
                          g_date_time_get_hour (time), g_date_time_get_minute (time),
                          g_date_time_get_second (time));
}

/* The number that COUNT digits at TEXT make. */
static int
digits (const char *text, int count)
{
  int value = 0;
  for (int i = 0; i < count; i++)
    value = value * 10 + (text[i] - '0');
  return value;
}

static bool
has_form (const char *text)
{
  static const char form[] = "0000-00-00T00:00:00Z";
  if (strlen (text) != sizeof form - 1)
    return false;
  for (size_t i = 0; i < sizeof form - 1; i++) {
    if (form[i] == '0' ? !g_ascii_isdigit (text[i]) : text[i] != form[i])
      return false;
  }
  return true;
}

bool
vtree_time_parse (const char *text, int64_t *seconds)
{
  if (!has_form (text) || digits (text, 4) < 1970 || digits (text + 17, 2) > 59)
    return false;
  g_autoptr (GDateTime) time = g_date_time_new_utc (
    digits (text, 4), digits (text + 5, 2), digits (text + 8, 2), digits (text + 11, 2),
    digits (text + 14, 2), digits (text + 17, 2));
  if (time == NULL) /* no such day or hour */
    return false;
  *seconds = g_date_time_to_unix (time);
  return true;
}
