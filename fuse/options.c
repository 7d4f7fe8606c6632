/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mount options. Owns: their grammar, their names and what each may be. Knows nothing
 * of the mount itself, and opens nothing.
 */
#include "fuse/options.h"

#include <string.h>

/* Bytes that are pushed for one READ, at most. */
#define PREFETCH_MAX 1073741824

typedef bool (*OptionParse) (VtreeMountOptions *options, const char *value,
                             GError **error);

typedef struct {
  const char *name;
  bool has_value;
  bool is_setting; /* may stand in vtree.conf */
  OptionParse parse;
} Option;

/* What the value of an option may be, said in one way. */
static bool
refuse_value (const char *name, const char *value, const char *expected, GError **error)
{
  g_autofree char *escaped = vtree_error_escape (value, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID,
                          "mount option %s: \"%s\" is not %s", name, escaped, expected);
}

static bool
take_text (char **field, const char *name, const char *value, GError **error)
{
  if (value[0] == '\0')
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option %s: its value is empty", name);
  g_free (*field);
  *field = g_strdup (value);
  return true;
}

static bool
parse_objects (VtreeMountOptions *options, const char *value, GError **error)
{
  return take_text (&options->objects, "objects", value, error);
}

static bool
parse_key (VtreeMountOptions *options, const char *value, GError **error)
{
  return take_text (&options->key, "key", value, error);
}

static bool
parse_ref (VtreeMountOptions *options, const char *value, GError **error)
{
  return take_text (&options->ref, "ref", value, error);
}

static bool
parse_fsname (VtreeMountOptions *options, const char *value, GError **error)
{
  return take_text (&options->fsname, "fsname", value, error);
}

static bool
parse_log (VtreeMountOptions *options, const char *value, GError **error)
{
  if (!g_str_equal (value, "syslog") && !g_str_equal (value, "stderr")
      && strchr (value, '/') == NULL)
    return refuse_value ("log", value, "\"syslog\", \"stderr\" or a path", error);
  return take_text (&options->log, "log", value, error);
}

static bool
parse_digest (VtreeMountOptions *options, const char *value, GError **error)
{
  if (!vtree_digest_parse (value, &options->digest, error)) {
    g_prefix_error (error, "mount option digest: ");
    return false;
  }
  options->has_digest = true;
  return true;
}

static bool
parse_verity (VtreeMountOptions *options, const char *value, GError **error)
{
  return vtree_verity_policy_parse (value, &options->verity)
         || refuse_value ("verity", value, "auto, require or off", error);
}

/* The index of VALUE among WORDS (NULL-terminated), or an error that lists them. */
static bool
parse_word (const char *name, const char *value, const char *const *words, int *index,
            GError **error)
{
  for (int i = 0; words[i] != NULL; i++)
    if (g_str_equal (words[i], value)) {
      *index = i;
      return true;
    }
  g_autofree char *list = g_strjoinv (", ", (char **) words);
  g_autofree char *expected = g_strdup_printf ("one of %s", list);
  return refuse_value (name, value, expected, error);
}

static bool
parse_open (VtreeMountOptions *options, const char *value, GError **error)
{
  static const char *const words[] = { "lazy", "checked", NULL };
  int index;
  if (!parse_word ("open", value, words, &index, error))
    return false;
  options->open = (VtreeOpenMode) index;
  return true;
}

static bool
parse_io (VtreeMountOptions *options, const char *value, GError **error)
{
  static const char *const words[] = { "daemon", "passthrough", "auto", NULL };
  int index;
  if (!parse_word ("io", value, words, &index, error))
    return false;
  options->io = (VtreeIoMode) index;
  return true;
}

static bool
parse_io_uring (VtreeMountOptions *options, const char *value, GError **error)
{
  static const char *const words[] = { "auto", "off", NULL };
  int index;
  if (!parse_word ("io_uring", value, words, &index, error))
    return false;
  options->io_uring = (VtreeIoUringMode) index;
  return true;
}

static bool
parse_xattr (VtreeMountOptions *options, const char *value, GError **error)
{
  static const char *const words[] = { "signed", "magic", NULL };
  int index;
  if (!parse_word ("xattr", value, words, &index, error))
    return false;
  options->xattr = (VtreeXattrMode) index;
  return true;
}

static bool
parse_number (const char *name, const char *value, uint64_t max, uint64_t *number,
              GError **error)
{
  guint64 parsed = 0;
  if (!g_ascii_string_to_unsigned (value, 10, 0, max, &parsed, NULL)) {
    g_autofree char *expected
      = g_strdup_printf ("a number from 0 to %" G_GUINT64_FORMAT, (guint64) max);
    return refuse_value (name, value, expected, error);
  }
  *number = parsed;
  return true;
}

/* "auto", "off", or a number of bytes. */
static bool
parse_prefetch (VtreeMountOptions *options, const char *value, GError **error)
{
  guint64 bytes = 0;
  if (g_str_equal (value, "auto"))
    options->prefetch = VTREE_PREFETCH_ON;
  else if (g_str_equal (value, "off"))
    options->prefetch = VTREE_PREFETCH_OFF;
  else if (g_ascii_string_to_unsigned (value, 10, 1, PREFETCH_MAX, &bytes, NULL))
    options->prefetch = VTREE_PREFETCH_BYTES;
  else
    return refuse_value ("prefetch", value,
                         "auto, off, or a number of bytes from 1 to 1073741824", error);
  options->prefetch_bytes = bytes;
  return true;
}

static bool
parse_readahead (VtreeMountOptions *options, const char *value, GError **error)
{
  guint64 kib = VTREE_READAHEAD_AUTO;
  if (g_str_equal (value, "off"))
    kib = VTREE_READAHEAD_OFF;
  else if (!g_str_equal (value, "auto")
           && !g_ascii_string_to_unsigned (value, 10, 4, VTREE_READAHEAD_MAX_KIB, &kib,
                                           NULL))
    return refuse_value ("readahead", value, "auto, off or from 4 to 65536 (KiB)",
                         error);
  options->readahead = (uint32_t) kib;
  return true;
}

static bool
parse_min_version (VtreeMountOptions *options, const char *value, GError **error)
{
  return parse_number ("min_version", value, UINT64_MAX, &options->min_version, error);
}

static bool
parse_uid (VtreeMountOptions *options, const char *value, GError **error)
{
  uint64_t number = 0;
  if (!parse_number ("uid", value, UINT32_MAX - 1, &number, error))
    return false;
  options->uid = (uint32_t) number;
  options->has_uid = true;
  return true;
}

static bool
parse_gid (VtreeMountOptions *options, const char *value, GError **error)
{
  uint64_t number = 0;
  if (!parse_number ("gid", value, UINT32_MAX - 1, &number, error))
    return false;
  options->gid = (uint32_t) number;
  options->has_gid = true;
  return true;
}

static bool
parse_allow_suid (VtreeMountOptions *options, const char *value, GError **error)
{
  (void) value;
  (void) error;
  options->allow_suid = true;
  return true;
}

static bool
parse_allow_dev (VtreeMountOptions *options, const char *value, GError **error)
{
  (void) value;
  (void) error;
  options->allow_dev = true;
  return true;
}

static bool
parse_force (VtreeMountOptions *options, const char *value, GError **error)
{
  (void) value;
  (void) error;
  options->force = true;
  return true;
}

/* Our own, alphabetical; the position is the bit in options->given. */
static const Option own_options[] = {
  { "allow_dev", false, false, parse_allow_dev },
  { "allow_suid", false, false, parse_allow_suid },
  { "digest", true, false, parse_digest },
  { "force", false, false, parse_force },
  { "fsname", true, false, parse_fsname },
  { "gid", true, true, parse_gid },
  { "io", true, true, parse_io },
  { "io_uring", true, true, parse_io_uring },
  { "key", true, true, parse_key },
  { "log", true, true, parse_log },
  { "min_version", true, true, parse_min_version },
  { "objects", true, false, parse_objects },
  { "open", true, true, parse_open },
  { "prefetch", true, true, parse_prefetch },
  { "readahead", true, true, parse_readahead },
  { "ref", true, false, parse_ref },
  { "uid", true, true, parse_uid },
  { "verity", true, true, parse_verity },
  { "xattr", true, true, parse_xattr },
};

/* mount(8)'s own, or without a meaning for what is read-only and has no devices, set-id
 * bits or access times unless we are told otherwise. */
static const char *const tolerated[] = { "ro",
                                         "rw",
                                         "defaults",
                                         "auto",
                                         "noauto",
                                         "nofail",
                                         "_netdev",
                                         "_rnetdev",
                                         "owner",
                                         "group",
                                         "nouser",
                                         "nousers",
                                         "noowner",
                                         "nogroup",
                                         "suid",
                                         "nosuid",
                                         "dev",
                                         "nodev",
                                         "sync",
                                         "async",
                                         "dirsync",
                                         "atime",
                                         "noatime",
                                         "diratime",
                                         "nodiratime",
                                         "relatime",
                                         "norelatime",
                                         "strictatime",
                                         "lazytime",
                                         "nolazytime",
                                         "nostrictatime",
                                         "iversion",
                                         "noiversion",
                                         "silent",
                                         "loud",
                                         "mand",
                                         "nomand",
                                         "symfollow",
                                         "default_permissions",
                                         "drop_privileges",
                                         NULL };

/* The same, with a value. drop_privileges is what we do in any case. */
static const char *const tolerated_values[]
  = { "comment", "helper", "uhelper", "user", "user_id", "group_id", NULL };

static bool
is_tolerated (const char *name, const char *value)
{
  if (g_str_has_prefix (name, "x-") || g_str_has_prefix (name, "X-"))
    return true;
  return g_strv_contains (value == NULL ? tolerated : tolerated_values, name);
}

/* The flags that we pass on to the kernel or act upon. */
static bool
take_flag (VtreeMountOptions *options, const char *name)
{
  if (g_str_equal (name, "noexec") || g_str_equal (name, "user")
      || g_str_equal (name, "users"))
    options->noexec = true;
  else if (g_str_equal (name, "exec"))
    options->noexec = false;
  else if (g_str_equal (name, "nosymfollow"))
    options->nosymfollow = true;
  else if (g_str_equal (name, "allow_other"))
    options->allow_other = true;
  else if (g_str_equal (name, "remount"))
    options->remount = true;
  else
    return false;
  return true;
}

static const Option *
find_own (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (own_options); i++)
    if (g_str_equal (own_options[i].name, name))
      return &own_options[i];
  return NULL;
}

static uint64_t
own_bit (const Option *option)
{
  return UINT64_C (1) << (option - own_options);
}

static bool
parse_own (VtreeMountOptions *options, const Option *option, const char *value,
           GError **error)
{
  if (option->has_value && value == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option %s: it needs a value", option->name);
  if (!option->has_value && value != NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option %s: it takes no value", option->name);
  return option->parse (options, value, error);
}

/* One option, unescaped: NAME, and VALUE or NULL. */
static bool
parse_one (VtreeMountOptions *options, const char *name, const char *value, bool sloppy,
           GError **error)
{
  const Option *option = find_own (name);
  if (option != NULL) {
    options->given |= own_bit (option);
    return parse_own (options, option, value, error);
  }
  if (value == NULL && take_flag (options, name))
    return true;
  if (is_tolerated (name, value))
    return true;
  if (g_str_equal (name, "setuid"))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option setuid: not supported, mount as that user "
                            "instead");
  if (sloppy)
    return true;
  g_autofree char *escaped = vtree_error_escape (name, -1);
  return vtree_error_set (error, VTREE_ERROR_INVALID, "mount option %s: unknown",
                          escaped);
}

static bool
is_octal (const char *p)
{
  return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0'
         && p[2] <= '7';
}

/* The character behind a backslash at *P, which moves behind it; NUL where it is none
 * that text may have. */
static char
unescape (const char **p)
{
  char c = **p;
  if (is_octal (*p)) {
    unsigned code = (unsigned) ((*p)[0] - '0') << 6 | (unsigned) ((*p)[1] - '0') << 3
                    | (unsigned) ((*p)[2] - '0');
    *p += 3;
    return (char) code;
  }
  if (c != '\0')
    *p += 1;
  return c;
}

/* Reads the option at *CURSOR into TEXT, unescaped, and moves behind its comma. */
static bool
next_option (const char **cursor, GString *text, GError **error)
{
  const char *p = *cursor;
  bool quoted = false;
  g_string_truncate (text, 0);
  while (*p != '\0' && (quoted || *p != ',')) {
    char c = *p++;
    bool opens = text->len > 0 && text->str[text->len - 1] == '=';
    if (c == '"' && (quoted || opens)) {
      quoted = !quoted;
      continue;
    }
    if (c == '\\' && (c = unescape (&p)) == '\0')
      return vtree_error_set (error, VTREE_ERROR_INVALID,
                              "mount options: a backslash that escapes nothing");
    g_string_append_c (text, c);
  }
  if (quoted)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount options: a quote that is not closed");
  *cursor = *p == ',' ? p + 1 : p;
  return true;
}

bool
vtree_mount_options_parse (VtreeMountOptions *options, const char *text, bool sloppy,
                           GError **error)
{
  if (strlen (text) > VTREE_MOUNT_OPTIONS_MAX)
    return vtree_error_set (error, VTREE_ERROR_INVALID, "mount options: too long");
  g_autoptr (GString) option = g_string_new (NULL);
  while (*text != '\0') {
    if (!next_option (&text, option, error))
      return false;
    if (option->len == 0)
      continue;
    char *equals = strchr (option->str, '=');
    if (equals != NULL)
      *equals = '\0';
    if (!parse_one (options, option->str, equals != NULL ? equals + 1 : NULL, sloppy,
                    error))
      return false;
  }
  return true;
}

static bool
apply_setting (VtreeMountOptions *options, const char *name, const char *value,
               GError **error)
{
  const Option *option = find_own (name);
  if (option == NULL || !option->is_setting) {
    g_autofree char *escaped = vtree_error_escape (name, -1);
    return vtree_error_set (error, VTREE_ERROR_INVALID, "%s: no such setting", escaped);
  }
  if ((options->given & own_bit (option)) != 0)
    return true;
  return parse_own (options, option, value, error);
}

bool
vtree_mount_options_settings (VtreeMountOptions *options, const GPtrArray *settings,
                              GError **error)
{
  for (guint i = 0; i < settings->len; i++) {
    const VtreeSetting *setting = g_ptr_array_index (settings, i);
    if (!setting->off
        && !apply_setting (options, setting->name, setting->value, error)) {
      g_prefix_error (error, "%s: [mount]: ", setting->file);
      return false;
    }
  }
  return true;
}

bool
vtree_mount_options_check (const VtreeMountOptions *options, bool is_root,
                           GError **error)
{
  if (!is_root && (options->allow_suid || options->allow_dev))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "mount option %s: only root may give it",
                            options->allow_suid ? "allow_suid" : "allow_dev");
  return true;
}

bool
vtree_mount_options_any_own (const VtreeMountOptions *options)
{
  return options->given != 0;
}

void
vtree_mount_options_clear (VtreeMountOptions *options)
{
  g_clear_pointer (&options->objects, g_free);
  g_clear_pointer (&options->key, g_free);
  g_clear_pointer (&options->ref, g_free);
  g_clear_pointer (&options->log, g_free);
  g_clear_pointer (&options->fsname, g_free);
}
