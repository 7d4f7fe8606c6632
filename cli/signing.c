/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the choice of who signs, and how the repository's own files are signed for the
 * kernel. */
#include "cli/signing.h"
#include "cli/argument.h"

void
vtree_signing_words_clear (VtreeSigningWords *words)
{
  g_clear_pointer (&words->names, g_strfreev);
  g_clear_pointer (&words->files, g_strfreev);
  g_clear_pointer (&words->cert, g_free);
  g_clear_pointer (&words->command, g_free);
}

void
vtree_signing_words_add (VtreeSigningWords *words, GArray *entries)
{
  const GOptionEntry own[]
    = { { "key", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->names,
          "Sign with this private key (may be repeated)", "NAME" },
        { "key-file", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->files,
          "Sign with the private key in this PEM file (may be repeated)", "FILE" },
        { "cert", 0, 0, G_OPTION_ARG_FILENAME, &words->cert,
          "Sign as PKCS #7 for this X.509 certificate (PEM), with --key-file", "FILE" },
        { "sign-command", 0, 0, G_OPTION_ARG_FILENAME, &words->command,
          "Have CMD sign, for the public key in --key-file or for --cert", "CMD" } };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
}

bool
vtree_signing_words_given (const VtreeSigningWords *words)
{
  return words->names != NULL || words->files != NULL || words->cert != NULL
         || words->command != NULL;
}

/* Adds SIGNER, unless that is NULL, to SIGNERS. */
static bool
add_signer (GPtrArray *signers, VtreeSigner *signer)
{
  if (signer == NULL)
    return false;
  g_ptr_array_add (signers, signer);
  return true;
}

/* Adds KEY, unless that is NULL, to SIGNERS. */
static bool
add_key (GPtrArray *signers, VtreePrivateKey *key, GError **error)
{
  return key != NULL
         && add_signer (signers, vtree_signer_new_for_key_take (key, error));
}

static bool
add_keys (const VtreeSigningWords *words, const VtreePaths *paths, GPtrArray *signers,
          GError **error)
{
  for (char **name = words->names; name != NULL && *name != NULL; name++)
    if (!vtree_argument_key_name (*name, error)
        || !add_key (signers, vtree_keyring_load (paths, *name, error), error))
      return false;
  for (char **file = words->files; file != NULL && *file != NULL; file++)
    if (!add_key (signers, vtree_private_key_load (*file, error), error))
      return false;
  return signers->len > 0
         || add_key (signers, vtree_keyring_load (paths, NULL, error), error);
}

static guint
count (char **words)
{
  return words != NULL ? g_strv_length (words) : 0;
}

static VtreeCertificate *
load_certificate (const char *file, GError **error)
{
  g_autoptr (GBytes) bytes = vtree_keyring_read (file, error);
  g_autofree char *escaped = vtree_error_escape (file, -1);
  VtreeCertificate *certificate;

  if (bytes == NULL)
    return NULL;
  certificate = vtree_certificate_new_from_pem (g_bytes_get_data (bytes, NULL),
                                                g_bytes_get_size (bytes), error);
  if (certificate == NULL)
    g_prefix_error (error, "--cert: %s: ", escaped);
  return certificate;
}

static VtreeSigner *
load_certified (const VtreeSigningWords *words, GError **error)
{
  g_autoptr (VtreeCertificate) certificate = NULL;
  g_autoptr (VtreePrivateKey) key = NULL;
  VtreeSigner *signer;

  if (words->names != NULL || count (words->files) != 1) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "--cert needs its private key in one --key-file, or a "
                     "--sign-command; other keys sign in a run of their own");
    return NULL;
  }
  certificate = load_certificate (words->cert, error);
  key
    = certificate != NULL ? vtree_private_key_load_any (words->files[0], error) : NULL;
  if (key == NULL)
    return NULL;
  signer = vtree_signer_new_for_certificate_take (g_steal_pointer (&certificate),
                                                  g_steal_pointer (&key), error);
  if (signer == NULL)
    g_prefix_error (error, "--cert and --key-file: ");
  return signer;
}

static VtreeSigner *
load_command (const VtreeSigningWords *words, GError **error)
{
  const char *file = words->cert != NULL ? words->cert : NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *escaped = NULL;
  VtreeSigner *signer;

  if (words->names != NULL || count (words->files) + (file != NULL) != 1) {
    vtree_error_set (error, VTREE_ERROR_INVALID,
                     "--sign-command needs to know for whom it signs: one --key-file "
                     "with the public key, or one --cert");
    return NULL;
  }
  file = file != NULL ? file : words->files[0];
  escaped = vtree_error_escape (file, -1);
  bytes = vtree_keyring_read (file, error);
  if (bytes == NULL)
    return NULL;
  signer = vtree_signer_new_for_command (words->command, file,
                                         g_bytes_get_data (bytes, NULL),
                                         g_bytes_get_size (bytes), error);
  if (signer == NULL)
    g_prefix_error (error, "--sign-command: %s: ", escaped);
  return signer;
}

GPtrArray *
vtree_signing_words_signers (const VtreeSigningWords *words, const VtreePaths *paths,
                             GError **error)
{
  g_autoptr (GPtrArray) signers = vtree_signers_new ();
  bool done;

  if (words->command != NULL)
    done = add_signer (signers, load_command (words, error));
  else if (words->cert != NULL)
    done = add_signer (signers, load_certified (words, error));
  else
    done = add_keys (words, paths, signers, error);
  return done ? g_steal_pointer (&signers) : NULL;
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
          "Sign for the kernel what gets fs-verity, with this private key (PEM)",
          "FILE" },
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

bool
vtree_object_words_seal (const VtreeRepo *repo, const VtreeObjectSigner *signer,
                         VtreeSeal *seal, GError **error)
{
  bool supported;

  *seal = vtree_repo_seal (repo);
  if (signer == NULL)
    return true;
  seal->policy = VTREE_VERITY_REQUIRE;
  seal->signer = signer;
  return vtree_seal_decide (vtree_repo_dirfd (repo), seal, "the repository's files",
                            &supported, error);
}

bool
vtree_object_words_sign_config (const VtreeRepo *repo, const VtreeSeal *seal, int wait,
                                GError **error)
{
  g_auto (VtreeFd) lock = -1;
  bool done;

  return seal->signer == NULL
         || (vtree_repo_lock (repo, VTREE_REPO_LOCK_SHARED, wait, &lock, error)
             && vtree_repo_seal_config (repo, seal, &done, error));
}
