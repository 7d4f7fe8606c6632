/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the words of a context and what they are called in key files. Looks at nothing
 * of the host but where its user's directories are. */
#include "cli/context.h"

#include "manifest/ref.h"

#include <string.h>

#define N_LISTS 3
#define GROUP "Context"
#define VARIABLES "Environment"
#define APPLICATION "Application"
#define RUNTIME "runtime"

struct VtreeContext {
  GHashTable *lists[N_LISTS]; /* char *, a set, of each of the first three kinds */
  GHashTable *places;         /* char * -> VtreeContextMode */
  GHashTable *variables;      /* char * -> char *; the value may be NULL */
  char *runtime;              /* NULL: the host's /usr */
};

static const char *const keys[]
  = { "shared", "sockets", "devices", "filesystems", NULL, "unset-environment" };
static const char *const options[]
  = { "share", "socket", "device", "filesystem", "env", "unset-env" };
static const char *const known[N_LISTS][9] = {
  { "network", "ipc", NULL },
  { "wayland", "x11", "fallback-x11", "pulseaudio", "session-bus", "system-bus",
    "ssh-auth", "cups", NULL },
  { "dri", "kvm", "shm", "all", NULL },
};

VtreeContext *
vtree_context_new (void)
{
  VtreeContext *context = g_new0 (VtreeContext, 1);

  for (size_t i = 0; i < N_LISTS; i++)
    context->lists[i] = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  context->places = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  context->variables = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return context;
}

void
vtree_context_free (VtreeContext *context)
{
  if (context == NULL)
    return;
  for (size_t i = 0; i < N_LISTS; i++)
    g_hash_table_unref (context->lists[i]);
  g_hash_table_unref (context->places);
  g_hash_table_unref (context->variables);
  g_free (context->runtime);
  g_free (context);
}

/* --- places ----------------------------------------------------------------------- */

static const struct {
  const char *name;
  GUserDirectory directory;
} special[] = {
  { "xdg-desktop", G_USER_DIRECTORY_DESKTOP },
  { "xdg-documents", G_USER_DIRECTORY_DOCUMENTS },
  { "xdg-download", G_USER_DIRECTORY_DOWNLOAD },
  { "xdg-music", G_USER_DIRECTORY_MUSIC },
  { "xdg-pictures", G_USER_DIRECTORY_PICTURES },
  { "xdg-public-share", G_USER_DIRECTORY_PUBLIC_SHARE },
  { "xdg-templates", G_USER_DIRECTORY_TEMPLATES },
  { "xdg-videos", G_USER_DIRECTORY_VIDEOS },
};

/* The directory of the user that NAME stands for; *UNKNOWN: for none. NULL also where
 * the user has no such directory. */
static const char *
find_base (const char *name, bool *unknown)
{
  *unknown = false;
  if (strcmp (name, "home") == 0 || strcmp (name, "~") == 0)
    return g_get_home_dir ();
  if (strcmp (name, "xdg-data") == 0)
    return g_get_user_data_dir ();
  if (strcmp (name, "xdg-config") == 0)
    return g_get_user_config_dir ();
  if (strcmp (name, "xdg-cache") == 0)
    return g_get_user_cache_dir ();
  if (strcmp (name, "xdg-run") == 0)
    return g_get_user_runtime_dir ();
  for (size_t i = 0; i < G_N_ELEMENTS (special); i++)
    if (strcmp (name, special[i].name) == 0)
      return g_get_user_special_dir (special[i].directory);
  *unknown = true;
  return NULL;
}

/* What NAME (without a mode) stands for: an absolute path, or one of host's. */
static char *
find_place (const char *name, bool *unknown)
{
  static const char *const host[] = { "host", "host-os", "host-etc", NULL };
  g_auto (GStrv) parts = g_strsplit (name, "/", 2);
  const char *base;
  g_autofree char *whole = NULL;

  *unknown = name[0] == '\0';
  if (*unknown)
    return NULL;
  if (g_strv_contains (host, name))
    return g_strdup (name);
  if (name[0] == '/')
    return g_canonicalize_filename (name, "/");
  base = find_base (parts[0], unknown);
  if (base == NULL)
    return NULL;
  whole = g_build_filename (base, parts[1], NULL);
  return g_canonicalize_filename (whole, "/");
}

/* What the sandbox has of its own can't be the host's. */
static bool
is_reserved (const char *place)
{
  static const char *const reserved[]
    = { "app",    "bin",  "dev", "etc",  "lib", "lib32", "lib64",
        "libx32", "proc", "run", "sbin", "sys", "usr",   NULL };
  g_auto (GStrv) parts = g_strsplit (place, "/", 3);

  if (place[0] != '/')
    return false;
  /* In /run there are directories of the host's that can be shown. */
  return parts[1][0] == '\0'
         || (g_strv_contains (reserved, parts[1])
             && (strcmp (parts[1], "run") != 0 || parts[2] == NULL
                 || g_str_has_prefix (parts[2], "host")));
}

/* Cuts the mode off NAME. */
static VtreeContextMode
split_mode (char *name)
{
  static const struct {
    const char *suffix;
    VtreeContextMode mode;
  } modes[] = { { ":ro", VTREE_CONTEXT_READ_ONLY },
                { ":rw", VTREE_CONTEXT_READ_WRITE },
                { ":create", VTREE_CONTEXT_CREATE } };

  for (size_t i = 0; i < G_N_ELEMENTS (modes); i++)
    if (g_str_has_suffix (name, modes[i].suffix)) {
      name[strlen (name) - strlen (modes[i].suffix)] = '\0';
      return modes[i].mode;
    }
  return VTREE_CONTEXT_READ_WRITE;
}

static bool
add_place (VtreeContext *context, const char *word, GError **error)
{
  bool wanted = word[0] != '!';
  g_autofree char *name = g_strdup (word + !wanted);
  VtreeContextMode mode = split_mode (name);
  bool unknown;
  g_autofree char *place = find_place (name, &unknown);
  g_autofree char *escaped = vtree_error_escape (word, -1);

  if (unknown)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "filesystem: '%s' is none of home, host, host-os, "
                            "host-etc, xdg-download and the like, ~/PATH and /PATH",
                            escaped);
  if (place == NULL)
    return true;
  if (!wanted) {
    g_hash_table_remove (context->places, place);
    return true;
  }
  if (is_reserved (place))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "filesystem: %s is the sandbox's own; host-os and host-etc "
                            "show the host's under /run/host",
                            escaped);
  g_hash_table_replace (context->places, g_steal_pointer (&place),
                        GINT_TO_POINTER (mode));
  return true;
}

/* --- words ------------------------------------------------------------------------ */

static bool
add_listed (VtreeContext *context, VtreeContextKind kind, const char *word,
            GError **error)
{
  bool wanted = word[0] != '!';
  const char *name = word + !wanted;

  if (!g_strv_contains (known[kind], name)) {
    g_autofree char *all = g_strjoinv (", ", (char **) known[kind]);
    g_autofree char *escaped = vtree_error_escape (name, -1);

    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "%s: '%s' is none of the words that there are: %s",
                            options[kind], escaped, all);
  }
  if (wanted)
    g_hash_table_add (context->lists[kind], g_strdup (name));
  else
    g_hash_table_remove (context->lists[kind], name);
  return true;
}

static bool
add_variable (VtreeContext *context, const char *word, bool unset, GError **error)
{
  const char *equals = strchr (word, '=');
  g_autofree char *escaped = vtree_error_escape (word, -1);

  if (word[0] == '\0' || word[0] == '=' || (equals == NULL) != unset)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "%s expected, not '%s'",
                            unset ? "unset-env: NAME" : "env: NAME=VALUE", escaped);
  g_hash_table_replace (context->variables,
                        unset ? g_strdup (word)
                              : g_strndup (word, (gsize) (equals - word)),
                        unset ? NULL : g_strdup (equals + 1));
  return true;
}

/* A manifest's digest would be a tree that nobody has signed. */
static bool
add_runtime (VtreeContext *context, const char *word, GError **error)
{
  g_auto (VtreeRefSpec) spec = { .name = NULL };
  g_autofree char *escaped = vtree_error_escape (word, -1);

  if (word[0] != '\0'
      && (!vtree_ref_spec_parse (word, false, &spec, NULL) || spec.is_digest))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "runtime: REF or REF@VERSION expected, not '%s'", escaped);
  g_free (context->runtime);
  context->runtime = word[0] != '\0' ? g_strdup (word) : NULL;
  return true;
}

bool
vtree_context_add (VtreeContext *context, VtreeContextKind kind, const char *word,
                   GError **error)
{
  switch (kind) {
  case VTREE_CONTEXT_SHARE:
  case VTREE_CONTEXT_SOCKET:
  case VTREE_CONTEXT_DEVICE:
    return add_listed (context, kind, word, error);
  case VTREE_CONTEXT_FILESYSTEM:
    return add_place (context, word, error);
  case VTREE_CONTEXT_ENVIRONMENT:
  case VTREE_CONTEXT_UNSET:
    return add_variable (context, word, kind == VTREE_CONTEXT_UNSET, error);
  case VTREE_CONTEXT_RUNTIME:
    return add_runtime (context, word, error);
  }
  g_assert_not_reached ();
}

/* --- key files -------------------------------------------------------------------- */

static bool
load_key (VtreeContext *context, GKeyFile *file, VtreeContextKind kind, GError **error)
{
  g_auto (GStrv) words
    = g_key_file_get_string_list (file, GROUP, keys[kind], NULL, NULL);

  for (char **word = words; word != NULL && *word != NULL; word++)
    if (!vtree_context_add (context, kind, *word, error))
      return false;
  return true;
}

static bool
load_variables (VtreeContext *context, GKeyFile *file, GError **error)
{
  g_auto (GStrv) names = g_key_file_get_keys (file, VARIABLES, NULL, NULL);

  for (char **name = names; name != NULL && *name != NULL; name++) {
    g_autoptr (GError) cause = NULL;
    char *value = g_key_file_get_string (file, VARIABLES, *name, &cause);

    if (value == NULL) {
      g_autofree char *escaped = vtree_error_escape (cause->message, -1);

      return vtree_error_set (error, VTREE_ERROR_INVALID, "%s", escaped);
    }
    g_hash_table_replace (context->variables, g_strdup (*name), value);
  }
  return true;
}

static bool
load_runtime (VtreeContext *context, GKeyFile *file, GError **error)
{
  g_autofree char *word = g_key_file_get_string (file, APPLICATION, RUNTIME, NULL);

  return word == NULL || add_runtime (context, word, error);
}

/* GROUP of FILE has no keys but the COUNT in NAMES (NULL for a hole). */
static bool
check_group (GKeyFile *file, const char *group, const char *const *names, size_t count,
             GError **error)
{
  g_auto (GStrv) there = g_key_file_get_keys (file, group, NULL, NULL);

  for (char **name = there; name != NULL && *name != NULL; name++) {
    bool found = false;

    for (size_t i = 0; i < count && !found; i++)
      found = g_strcmp0 (names[i], *name) == 0;
    if (!found) {
      g_autofree char *escaped = vtree_error_escape (*name, -1);

      return vtree_error_set (error, VTREE_ERROR_INVALID, "[%s] has no key '%s'", group,
                              escaped);
    }
  }
  return true;
}

static bool
check_keys (GKeyFile *file, GError **error)
{
  const char *const runtime = RUNTIME;

  return check_group (file, GROUP, keys, G_N_ELEMENTS (keys), error)
         && check_group (file, APPLICATION, &runtime, 1, error);
}

bool
vtree_context_load (VtreeContext *context, GKeyFile *file, bool strict, GError **error)
{
  if (strict && !check_keys (file, error))
    return false;
  for (unsigned kind = 0; kind < G_N_ELEMENTS (keys); kind++)
    if (keys[kind] != NULL && kind != VTREE_CONTEXT_UNSET
        && !load_key (context, file, (VtreeContextKind) kind, error))
      return false;
  return load_variables (context, file, error)
         && load_key (context, file, VTREE_CONTEXT_UNSET, error)
         && load_runtime (context, file, error);
}

/* What WORD is of, without the ! before and the mode behind it. */
static char *
find_subject (VtreeContextKind kind, const char *word)
{
  char *subject = g_strdup (word + (word[0] == '!'));

  if (kind == VTREE_CONTEXT_FILESYSTEM)
    split_mode (subject);
  return subject;
}

/* The words of KIND without those of SUBJECT, and ADDED (may be NULL) behind them. */
static void
replace_word (GKeyFile *file, VtreeContextKind kind, const char *subject,
              const char *added)
{
  g_auto (GStrv) words
    = g_key_file_get_string_list (file, GROUP, keys[kind], NULL, NULL);
  g_autoptr (GPtrArray) left = g_ptr_array_new ();

  for (char **word = words; word != NULL && *word != NULL; word++) {
    g_autofree char *own = find_subject (kind, *word);

    if (strcmp (own, subject) != 0)
      g_ptr_array_add (left, *word);
  }
  if (added != NULL)
    g_ptr_array_add (left, (char *) added);
  if (left->len > 0)
    g_key_file_set_string_list (file, GROUP, keys[kind],
                                (const char *const *) left->pdata, left->len);
  else
    g_key_file_remove_key (file, GROUP, keys[kind], NULL);
}

static void
save_variable (GKeyFile *file, const char *word)
{
  const char *equals = strchr (word, '=');
  g_autofree char *name = g_strndup (word, (gsize) (equals - word));

  replace_word (file, VTREE_CONTEXT_UNSET, name, NULL);
  g_key_file_set_string (file, VARIABLES, name, equals + 1);
}

bool
vtree_context_save (GKeyFile *file, VtreeContextKind kind, const char *word,
                    GError **error)
{
  g_autoptr (VtreeContext) trial = vtree_context_new ();
  g_autofree char *subject = NULL;

  if (!vtree_context_add (trial, kind, word, error))
    return false;
  if (kind == VTREE_CONTEXT_ENVIRONMENT) {
    save_variable (file, word);
    return true;
  }
  if (kind == VTREE_CONTEXT_RUNTIME) {
    g_key_file_set_string (file, APPLICATION, RUNTIME, word);
    return true;
  }
  if (kind == VTREE_CONTEXT_UNSET)
    g_key_file_remove_key (file, VARIABLES, word, NULL);
  subject = find_subject (kind, word);
  replace_word (file, kind, subject, word);
  return true;
}

/* --- what has been said ----------------------------------------------------------- */

bool
vtree_context_has (const VtreeContext *context, VtreeContextKind kind, const char *word)
{
  g_assert (kind < N_LISTS);
  return g_hash_table_contains (context->lists[kind], word);
}

static GList *
list_sorted (GHashTable *table)
{
  return g_list_sort (g_hash_table_get_keys (table), (GCompareFunc) strcmp);
}

GList *
vtree_context_list_places (const VtreeContext *context)
{
  return list_sorted (context->places);
}

VtreeContextMode
vtree_context_place_mode (const VtreeContext *context, const char *place)
{
  return (VtreeContextMode) GPOINTER_TO_INT (
    g_hash_table_lookup (context->places, place));
}

GList *
vtree_context_list_variables (const VtreeContext *context)
{
  return list_sorted (context->variables);
}

const char *
vtree_context_runtime (const VtreeContext *context)
{
  return context->runtime;
}

const char *
vtree_context_variable (const VtreeContext *context, const char *name)
{
  return g_hash_table_lookup (context->variables, name);
}
