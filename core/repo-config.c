/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the keys of a repository's configuration, their defaults and what they may be.
 * Reads and writes no file: see repo.c.
 */
#include "core/repo-config.h"

#include <string.h>

#define GROUP "core"
#define KEEP_MAX 1000000
/* What a reader has to know where there may be packs. */
#define FEATURE_PACKS "packs"

struct VtreeRepoConfig {
  GKeyFile *file;
};

static bool
check_digest (const char *value)
{
  VtreeDigestAlg alg;
  return vtree_digest_alg_parse (value, &alg);
}

static bool
check_verity (const char *value)
{
  VtreeVerityPolicy policy;
  return vtree_verity_policy_parse (value, &policy);
}

static bool
check_boolean (const char *value)
{
  return strcmp (value, "true") == 0 || strcmp (value, "false") == 0;
}

static bool
check_keep (const char *value)
{
  return g_ascii_string_to_unsigned (value, 10, 1, KEEP_MAX, NULL, NULL);
}

static bool
check_threshold (const char *value)
{
  return g_ascii_string_to_unsigned (value, 10, 0, VTREE_REPO_PACK_THRESHOLD_MAX, NULL,
                                     NULL);
}

static const struct {
  const char *key;
  const char *fallback;
  const char *words; /* what it may be, for messages */
  bool (*check) (const char *value);
} keys[] = {
  { "auto-repack", "false", "true or false", check_boolean },
  { "digest", "sha256", "sha256 or sha512", check_digest },
  { "keep", "2", "a number from 1 to 1000000", check_keep },
  { "pack-threshold", "0", "a number of bytes from 0 to 65536", check_threshold },
  { "shared", "false", "true or false", check_boolean },
  { "verity", "auto", "auto, require or off", check_verity },
};

/* The key's index, or -1 with VTREE_ERROR_INVALID. */
static int
find_key (const char *key, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
    if (strcmp (keys[i].key, key) == 0)
      return (int) i;
    g_string_append_printf (known, "%s%s", i > 0 ? ", " : "", keys[i].key);
  }
  g_autofree char *name = vtree_error_escape (key, -1);
  vtree_error_set (error, VTREE_ERROR_INVALID,
                   "configuration: no key '%s'; there are %s", name, known->str);
  return -1;
}

static bool
check_value (size_t index, const char *value, VtreeErrorCode code, GError **error)
{
  if (keys[index].check (value))
    return true;
  g_autofree char *escaped = vtree_error_escape (value, -1);
  return vtree_error_set (error, code, "configuration: %s can't be '%s', only %s",
                          keys[index].key, escaped, keys[index].words);
}

/* The value in force, whether it stands in the file or not. */
static char *
value_of (const VtreeRepoConfig *config, size_t index)
{
  char *value = g_key_file_get_value (config->file, GROUP, keys[index].key, NULL);
  return value != NULL ? value : g_strdup (keys[index].fallback);
}

bool
vtree_repo_config_has_packs (const VtreeRepoConfig *config)
{
  g_autofree char *features
    = g_key_file_get_value (config->file, GROUP, "features", NULL);
  return g_strcmp0 (features, FEATURE_PACKS) == 0;
}

/* Programs that know no packs shall not take for missing what lies in one. */
void
vtree_repo_config_add_packs (VtreeRepoConfig *config)
{
  g_key_file_set_string (config->file, GROUP, "features", FEATURE_PACKS);
}

static void
set_threshold (VtreeRepoConfig *config, uint32_t threshold)
{
  g_key_file_set_integer (config->file, GROUP, "pack-threshold", (gint) threshold);
  if (threshold > 0)
    vtree_repo_config_add_packs (config);
}

VtreeRepoConfig *
vtree_repo_config_new (const VtreeRepoOptions *options)
{
  VtreeRepoConfig *config = g_new0 (VtreeRepoConfig, 1);
  config->file = g_key_file_new ();
  g_key_file_set_integer (config->file, GROUP, "version", VTREE_REPO_VERSION);
  g_key_file_set_string (config->file, GROUP, "digest",
                         vtree_digest_alg_name (options->digest));
  g_key_file_set_string (config->file, GROUP, "verity",
                         vtree_verity_policy_name (options->verity));
  g_key_file_set_boolean (config->file, GROUP, "shared", options->shared);
  set_threshold (config, options->pack_threshold);
  return config;
}

void
vtree_repo_config_free (VtreeRepoConfig *config)
{
  if (config == NULL)
    return;
  g_key_file_unref (config->file);
  g_free (config);
}

static bool
check_version (const VtreeRepoConfig *config, GError **error)
{
  guint64 version;
  g_autofree char *text = g_key_file_get_value (config->file, GROUP, "version", NULL);
  if (text == NULL
      || !g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT32, &version, NULL))
    return vtree_error_set (error, VTREE_ERROR_CORRUPT,
                            "configuration: no valid version");
  if (version > VTREE_REPO_VERSION)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "configuration: the repository has format version "
                            "%" G_GUINT64_FORMAT ", this program knows %d",
                            version, VTREE_REPO_VERSION);
  g_autofree char *features
    = g_key_file_get_value (config->file, GROUP, "features", NULL);
  if (features == NULL || *features == '\0' || strcmp (features, FEATURE_PACKS) == 0)
    return true;
  g_autofree char *escaped = vtree_error_escape (features, -1);
  return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                          "configuration: the repository needs the features '%s', "
                          "which this program does not have",
                          escaped);
}

static bool
check_values (const VtreeRepoConfig *config, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *value = value_of (config, i);
    if (!check_value (i, value, VTREE_ERROR_CORRUPT, error))
      return false;
  }
  return true;
}

VtreeRepoConfig *
vtree_repo_config_parse (GBytes *bytes, GError **error)
{
  g_autoptr (VtreeRepoConfig) config = g_new0 (VtreeRepoConfig, 1);
  config->file = g_key_file_new ();
  size_t size;
  const char *data = g_bytes_get_data (bytes, &size);
  g_autoptr (GError) local = NULL;
  if (size == 0 || memchr (data, '\0', size) != NULL) {
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "configuration: not a text file");
    return NULL;
  }
  if (!g_key_file_load_from_data (config->file, data, size, G_KEY_FILE_KEEP_COMMENTS,
                                  &local)) {
    g_autofree char *escaped = vtree_error_escape (local->message, -1);
    vtree_error_set (error, VTREE_ERROR_CORRUPT, "configuration: %s", escaped);
    return NULL;
  }
  if (!check_version (config, error) || !check_values (config, error))
    return NULL;
  return g_steal_pointer (&config);
}

GBytes *
vtree_repo_config_serialize (const VtreeRepoConfig *config)
{
  gsize size;
  char *data = g_key_file_to_data (config->file, &size, NULL);
  return g_bytes_new_take (data, size);
}

void
vtree_repo_config_options (const VtreeRepoConfig *config, VtreeRepoOptions *options)
{
  g_autofree char *digest = vtree_repo_config_value (config, "digest", NULL);
  g_autofree char *verity = vtree_repo_config_value (config, "verity", NULL);
  g_autofree char *shared = vtree_repo_config_value (config, "shared", NULL);
  g_autofree char *threshold = vtree_repo_config_value (config, "pack-threshold", NULL);
  bool known = vtree_digest_alg_parse (digest, &options->digest)
               && vtree_verity_policy_parse (verity, &options->verity);
  g_assert (known && shared != NULL);
  options->shared = strcmp (shared, "true") == 0;
  options->pack_threshold = (uint32_t) g_ascii_strtoull (threshold, NULL, 10);
}

char *
vtree_repo_config_value (const VtreeRepoConfig *config, const char *key, GError **error)
{
  int index = find_key (key, error);
  return index >= 0 ? value_of (config, (size_t) index) : NULL;
}

bool
vtree_repo_config_change (VtreeRepoConfig *config, const char *key, const char *value,
                          GError **error)
{
  int index = find_key (key, error);
  if (index < 0 || !check_value ((size_t) index, value, VTREE_ERROR_INVALID, error))
    return false;
  if (strcmp (key, "pack-threshold") == 0)
    set_threshold (config, (uint32_t) g_ascii_strtoull (value, NULL, 10));
  else
    g_key_file_set_string (config->file, GROUP, key, value);
  return true;
}

char **
vtree_repo_config_all (const VtreeRepoConfig *config)
{
  char **all = g_new0 (char *, G_N_ELEMENTS (keys) + 1);
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *value = value_of (config, i);
    all[i] = g_strdup_printf ("%s=%s", keys[i].key, value);
  }
  return all;
}
