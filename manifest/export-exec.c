/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the grammar of Exec lines, "The Exec key" of the Desktop Entry Specification and
 * the D-Bus specification's. Some launchers hand what looks like shell to a shell, so
 * what the specification reserves is refused outside quotes, and quoted in what is
 * written.
 */
#include "core/error.h"
#include "manifest/export-private.h"

#include <string.h>

/* Reserved outside quotes; those in QUOTED have a backslash inside. */
#define RESERVED " \t\n\"'\\><~|&;$*?#()`"
#define QUOTED "\"`$\\"
#define SAFE G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_@+=:,./-"
/* Field codes: of one file or URL or of many, that stay, and that went long ago. */
#define CODES_FILE "fFuU"
#define CODES_STAY "ic"
#define CODES_ALONE "FUi"
#define CODES_GONE "kdDnNvm"

static bool
refuse (GError **error, const char *why)
{
  return vtree_error_set (error, VTREE_ERROR_INVALID, "Exec: %s", why);
}

static bool
has_control (const char *text)
{
  for (; *text != '\0'; text++)
    if (g_ascii_iscntrl (*text))
      return true;
  return false;
}

/* --- desktop files ---------------------------------------------------------------- */

typedef struct {
  const char *at;
  GString *out;
  bool has_file; /* one of CODES_FILE was there */
} Exec;

/* One character in quotes, which may have another one before it; NULL, or what is wrong
 * with it. */
static const char *
copy_character (Exec *exec)
{
  char c = *exec->at, next = c != '\0' ? exec->at[1] : '\0';
  if (c == '\0')
    return "a quote is open";
  if (c == '%' && next != '%')
    return "a field code in quotes";
  if (c == '\\' && (next == '\0' || strchr (QUOTED, next) == NULL))
    return "a backslash that escapes nothing";
  if (c == '$' || c == '`')
    return "a '$' or '`' without a backslash";
  size_t length = c == '%' || c == '\\' ? 2 : 1;
  g_string_append_len (exec->out, exec->at, (gssize) length);
  exec->at += length;
  return NULL;
}

/* One word in quotes, EXEC->at behind the first one. */
static bool
copy_quoted (Exec *exec, GError **error)
{
  g_string_append (exec->out, " \"");
  while (*exec->at != '"') {
    const char *why = copy_character (exec);
    if (why != NULL)
      return refuse (error, why);
  }
  g_string_append_c (exec->out, '"');
  exec->at++;
  return true;
}

/* One field code of WORD; *GONE: WORD is left out. */
static bool
check_code (Exec *exec, const char *word, char code, bool *gone, GError **error)
{
  bool alone = strlen (word) == 2;
  if (code == '%')
    return true;
  if (code == '\0' || strchr (CODES_FILE CODES_STAY CODES_GONE, code) == NULL)
    return refuse (error, "an unknown field code");
  if (!alone && strchr (CODES_ALONE CODES_GONE, code) != NULL)
    return refuse (error, "a field code that has to stand alone");
  *gone = strchr (CODES_GONE, code) != NULL;
  if (strchr (CODES_FILE, code) == NULL)
    return true;
  if (exec->has_file)
    return refuse (error, "two field codes for files");
  exec->has_file = true;
  return true;
}

static bool
copy_plain (Exec *exec, GError **error)
{
  size_t length = strcspn (exec->at, RESERVED);
  g_autofree char *word = g_strndup (exec->at, length);
  bool gone = false;
  exec->at += length;
  for (const char *at = strchr (word, '%'); at != NULL; at = strchr (at + 2, '%'))
    if (!check_code (exec, word, at[1], &gone, error))
      return false;
  if (!gone)
    g_string_append_printf (exec->out, " %s", word);
  return true;
}

static bool
copy_words (Exec *exec, GError **error)
{
  for (exec->at += strspn (exec->at, " "); *exec->at != '\0';
       exec->at += strspn (exec->at, " ")) {
    bool quoted = *exec->at == '"';
    exec->at += quoted;
    if (!(quoted ? copy_quoted (exec, error) : copy_plain (exec, error)))
      return false;
    if (*exec->at != '\0' && *exec->at != ' ')
      return refuse (error, "a reserved character outside quotes");
  }
  return true;
}

/* WORD as a literal argument. */
static void
append_literal (GString *out, const char *word)
{
  if (word[strspn (word, SAFE)] == '\0') {
    g_string_append (out, word);
    return;
  }
  g_string_append_c (out, '"');
  for (; *word != '\0'; word++) {
    if (strchr (QUOTED, *word) != NULL)
      g_string_append_c (out, '\\');
    g_string_append_c (out, *word);
    if (*word == '%')
      g_string_append_c (out, '%');
  }
  g_string_append_c (out, '"');
}

/* What stands before the first word is no code: a program has a name. */
static bool
begins_with_program (const char *exec)
{
  exec += strspn (exec, " ");
  return *exec != '\0' && *exec != '%' && strncmp (exec, "\"\"", 2) != 0;
}

char *
vtree_export_exec_desktop (const char *exec, const VtreeExportRunner *runner,
                           GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  Exec state = { .at = exec, .out = out };
  if (has_control (exec) || has_control (runner->program)) {
    refuse (error, "a control character");
    return NULL;
  }
  if (!begins_with_program (exec)) {
    refuse (error, "it names no program");
    return NULL;
  }
  append_literal (out, runner->program);
  g_string_append_printf (out, " run %s%s --", runner->system ? "--system " : "",
                          runner->name);
  return copy_words (&state, error) ? g_strdup (out->str) : NULL;
}

/* --- D-Bus services --------------------------------------------------------------- */

/* The daemons agree on single quotes, not on backslashes. */
static bool
append_word (GString *out, const char *word, GError **error)
{
  bool plain = word[0] != '\0' && word[strspn (word, SAFE)] == '\0';
  if (has_control (word) || strpbrk (word, "'\\") != NULL)
    return refuse (error, "a quote, a backslash or a control character in a word");
  g_string_append_printf (out, plain ? " %s" : " '%s'", word);
  return true;
}

static char *
join_words (char **words, const VtreeExportRunner *runner, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  if (!append_word (out, runner->program, error))
    return NULL;
  g_string_append_printf (out, " run %s%s --", runner->system ? "--system " : "",
                          runner->name);
  for (char **word = words; *word != NULL; word++)
    if (!append_word (out, *word, error))
      return NULL;
  return g_strdup (out->str + 1);
}

char *
vtree_export_exec_service (const char *exec, const VtreeExportRunner *runner,
                           GError **error)
{
  g_auto (GStrv) words = NULL;
  if (!g_shell_parse_argv (exec, NULL, &words, NULL)) {
    refuse (error, "it can't be split into words");
    return NULL;
  }
  if (words[0][0] == '\0') {
    refuse (error, "it names no program");
    return NULL;
  }
  return join_words (words, runner, error);
}
