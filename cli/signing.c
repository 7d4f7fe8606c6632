/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the choice of signing keys; signs nothing. */
#include "cli/signing.h"
#include "cli/argument.h"

void
vtree_signing_words_clear (VtreeSigningWords *words)
{
  g_clear_pointer (&words->names, g_strfreev);
  g_clear_pointer (&words->files, g_strfreev);
}

void
vtree_signing_words_add (VtreeSigningWords *words, GArray *entries)
{
  const GOptionEntry own[]
    = { { "key", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->names,
          "Sign with this private key (may be repeated)", "NAME" },
        { "key-file", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->files,
          "Sign with the private key in this PEM file (may be repeated)", "FILE" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
}

static void
free_key (void *key)
{
  vtree_private_key_free (key);
}

/* Adds KEY, unless that is NULL, to KEYS. */
static bool
add_key (GPtrArray *keys, VtreePrivateKey *key)
{
  if (key == NULL)
    return false;
  g_ptr_array_add (keys, key);
  return true;
}

static bool
load_named (const VtreePaths *paths, char **names, GPtrArray *keys, GError **error)
{
  for (char **name = names; name != NULL && *name != NULL; name++)
    if (!vtree_argument_key_name (*name, error)
        || !add_key (keys, vtree_keyring_load (paths, *name, error)))
      return false;
  return true;
}

GPtrArray *
vtree_signing_words_load (const VtreeSigningWords *words, const VtreePaths *paths,
                          GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (free_key);

  if (!load_named (paths, words->names, keys, error))
    return NULL;
  for (char **file = words->files; file != NULL && *file != NULL; file++)
    if (!add_key (keys, vtree_private_key_load (*file, error)))
      return NULL;
  if (keys->len == 0 && !add_key (keys, vtree_keyring_load (paths, NULL, error)))
    return NULL;
  return g_steal_pointer (&keys);
}

/* --- built-in signatures ---------------------------------------------------------- */

void
vtree_object_words_clear (VtreeObjectWords *words)
{
  g_clear_pointer (&words->key, g_free);
  g_clear_pointer (&words->cert, g_free);
}

void
vtree_object_words_add (VtreeObjectWords *words, GArray *entries)
{
  const GOptionEntry own[]
    = { { "object-key", 0, 0, G_OPTION_ARG_FILENAME, &words->key,
          "Sign each object for the kernel with this private key (PEM)", "FILE" },
        { "object-cert", 0, 0, G_OPTION_ARG_FILENAME, &words->cert,
          "Its X.509 certificate (PEM), which the keyring .fs-verity has", "FILE" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
}

bool
vtree_object_words_load (const VtreeObjectWords *words, VtreeObjectSigner **signer,
                         GError **error)
{
  *signer = NULL;
  if (words->key == NULL && words->cert == NULL)
    return true;
  if (words->key == NULL || words->cert == NULL)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--object-key and --object-cert belong together");
  *signer = vtree_object_signer_new (words->key, words->cert, error);
  return *signer != NULL;
}
