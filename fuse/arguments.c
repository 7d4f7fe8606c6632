/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The helper's command line. Owns its letters; what -o means is in options.c.
 */
#include "fuse/arguments.h"

#include <string.h>

/* The two that stand alone. */
static bool
take_operand (VtreeArguments *arguments, const char *text, GError **error)
{
  if (arguments->source == NULL)
    arguments->source = text;
  else if (arguments->dir == NULL)
    arguments->dir = text;
  else
    return vtree_error_set (error, VTREE_ERROR_INVALID, "too many arguments: \"%s\"",
                            text);
  return true;
}

static bool
take_flag (VtreeArguments *arguments, char letter)
{
  switch (letter) {
  case 'f':
    arguments->fake = true;
    return true;
  case 'v':
    arguments->verbose = true;
    return true;
  case 's':
    arguments->sloppy = true;
    return true;
  case 'q':
    arguments->quiet = true;
    return true;
  case 'F':
    arguments->foreground = true;
    return true;
  case 'h':
    arguments->help = true;
    return true;
  case 'V':
    arguments->version = true;
    return true;
  case 'r': /* always */
  case 'w': /* never, and no error */
  case 'n': /* there is no mtab */
    return true;
  default:
    return false;
  }
}

static bool
take_value (VtreeArguments *arguments, char letter, const char *value, GPtrArray *texts)
{
  if (letter == 'o')
    g_ptr_array_add (texts, (char *) value);
  else if (letter == 'N')
    arguments->namespace_ = value;
  else if (letter != 't')
    return false;
  return true;
}

/* The letters of ARGV[*I], which may take what stands behind it. */
static bool
take_letters (VtreeArguments *arguments, char **argv, int *i, GPtrArray *texts,
              GError **error)
{
  const char *letters = argv[*i] + 1;
  for (; *letters != '\0'; letters++) {
    if (take_flag (arguments, *letters))
      continue;
    const char *value = letters[1] != '\0' ? letters + 1 : argv[*i + 1];
    if (strchr ("otN", *letters) == NULL || value == NULL)
      return vtree_error_set (error, VTREE_ERROR_INVALID, "bad option: \"%s\"",
                              argv[*i]);
    if (letters[1] == '\0')
      (*i)++;
    return take_value (arguments, *letters, value, texts);
  }
  return true;
}

static bool
take_all (VtreeArguments *arguments, int argc, char **argv, GPtrArray *texts,
          GError **error)
{
  bool only_operands = false;
  for (int i = 1; i < argc; i++) {
    bool ok = true;
    if (!only_operands && g_str_equal (argv[i], "--"))
      only_operands = true;
    else if (!only_operands && g_str_equal (argv[i], "--help"))
      arguments->help = true;
    else if (!only_operands && g_str_equal (argv[i], "--version"))
      arguments->version = true;
    else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0')
      ok = take_letters (arguments, argv, &i, texts, error);
    else
      ok = take_operand (arguments, argv[i], error);
    if (!ok)
      return false;
  }
  return true;
}

bool
vtree_arguments_parse (VtreeArguments *arguments, int argc, char **argv, GError **error)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();
  if (!take_all (arguments, argc, argv, texts, error))
    return false;
  if (arguments->help || arguments->version)
    return true;
  if (arguments->dir == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "a source and a directory are needed (see --help)");
  for (guint i = 0; i < texts->len; i++)
    if (!vtree_mount_options_parse (&arguments->options, texts->pdata[i],
                                    arguments->sloppy, error))
      return false;
  return true;
}

void
vtree_arguments_clear (VtreeArguments *arguments)
{
  vtree_mount_options_clear (&arguments->options);
}
