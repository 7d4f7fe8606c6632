/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The oracle is the openssl command: keys, ids and signatures of either are the other's
 * too. */
#include "core/fd.h"
#include "core/key.h"
#include "core/text.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* RFC 8032, section 7.1, TEST 3. */
static const char rfc_secret_der[] = "302e020100300506032b657004220420"
                                     "c5aa8df43f9f837bedb7442f31dcb7b1"
                                     "66d38535076f094b85ce3a2e0b4458f7";
static const char rfc_signature[] = "6291d657deec24024827e69c3abe01a3"
                                    "0ce548a284743a445e3680d7db5ac3ac"
                                    "18ff9b538d16f290ae67f760984dc659"
                                    "4a7c15e9716ed28dc027beceea1ec40a";

static void
write_file (const char *path, const void *data, size_t size, mode_t mode)
{
  g_assert_true (g_file_set_contents (path, data, (gssize) size, NULL));
  g_assert_cmpint (chmod (path, mode), ==, 0);
}

/* What the shell command prints; it must succeed. */
static char *
run (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *command = g_strdup_vprintf (format, args);
  va_end (args);
  const char *argv[] = { "/bin/sh", "-c", command, NULL };
  char *output = NULL;
  int status = -1;
  g_autoptr (GError) error = NULL;
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
  return output;
}

static bool
have_openssl (void)
{
  g_autofree char *path = g_find_program_in_path ("openssl");
  if (path == NULL)
    vtree_test_skip ("no openssl command");
  return path != NULL;
}

static char *
save_key (const VtreePrivateKey *key, const char *dir)
{
  g_autoptr (GError) error = NULL;
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_true (vtree_private_key_save (key, fd, "key.pem", &error));
  g_assert_no_error (error);
  return g_build_filename (dir, "key.pem", NULL);
}

static VtreePrivateKey *
generate (void)
{
  g_autoptr (GError) error = NULL;
  VtreePrivateKey *key = vtree_private_key_generate (&error);
  g_assert_no_error (error);
  return key;
}

static VtreePublicKey *
public_of (const VtreePrivateKey *key)
{
  g_autoptr (GError) error = NULL;
  VtreePublicKey *public = vtree_private_key_public (key, &error);
  g_assert_no_error (error);
  return public;
}

static void
test_sign_and_verify (void)
{
  g_autoptr (VtreePrivateKey) key = generate ();
  g_autoptr (VtreePublicKey) public = public_of (key);
  g_autoptr (VtreePrivateKey) other = generate ();
  g_autoptr (VtreePublicKey) other_public = public_of (other);
  uint8_t signature[VTREE_SIGNATURE_SIZE];
  g_autoptr (GError) error = NULL;
  g_assert_true (vtree_private_key_sign (key, "bytes", 5, signature, &error));
  g_assert_no_error (error);
  g_assert_true (vtree_public_key_verify (public, "bytes", 5, signature));
  g_assert_false (vtree_public_key_verify (public, "byteS", 5, signature));
  g_assert_false (vtree_public_key_verify (public, "bytes", 4, signature));
  g_assert_false (vtree_public_key_verify (other_public, "bytes", 5, signature));
  for (size_t i = 0; i < sizeof signature; i++) {
    signature[i] ^= 1;
    g_assert_false (vtree_public_key_verify (public, "bytes", 5, signature));
    signature[i] ^= 1;
  }
}

static void
test_rfc_8032_vector (void)
{
  uint8_t der[48];
  g_assert_true (vtree_text_parse_hex (rfc_secret_der, der, sizeof der));
  g_autofree char *body = g_base64_encode (der, sizeof der);
  g_autofree char *pem = g_strdup_printf (
    "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", body);
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "rfc.pem", NULL);
  write_file (path, pem, strlen (pem), 0600);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePrivateKey) key = vtree_private_key_load (path, &error);
  g_assert_no_error (error);
  uint8_t signature[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (key, "\xaf\x82", 2, signature, &error));
  char text[2 * VTREE_SIGNATURE_SIZE + 1];
  g_assert_cmpstr (vtree_text_format_hex (signature, sizeof signature, text), ==,
                   rfc_signature);
}

static void
test_openssl_reads_ours (void)
{
  if (!have_openssl ())
    return;
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (VtreePrivateKey) key = generate ();
  g_autoptr (VtreePublicKey) public = public_of (key);
  g_autofree char *path = save_key (key, dir);
  g_autofree char *pem = vtree_public_key_to_pem (public);
  g_autofree char *theirs = run ("openssl pkey -in %s -pubout", path);
  g_assert_cmpstr (pem, ==, theirs);
  char id[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *their_id
    = run ("openssl pkey -in %s -pubout -outform DER "
           "| tail -c 32 | sha256sum | cut -c1-64 | tr -d '\\n'",
           path);
  g_assert_cmpstr (vtree_key_id_format (vtree_public_key_id (public), id), ==,
                   their_id);

  uint8_t signature[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (key, "bytes", 5, signature, NULL));
  g_autofree char *sig_path = g_build_filename (dir, "sig", NULL);
  g_autofree char *data_path = g_build_filename (dir, "data", NULL);
  write_file (sig_path, signature, sizeof signature, 0644);
  write_file (data_path, "bytes", 5, 0644);
  g_autofree char *said = run ("openssl pkeyutl -verify -rawin -inkey %s -in %s "
                               "-sigfile %s",
                               path, data_path, sig_path);
  g_assert_nonnull (strstr (said, "Verified Successfully"));
}

static void
test_we_read_openssl (void)
{
  if (!have_openssl ())
    return;
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *unused
    = run ("cd %s && umask 077 && openssl genpkey -algorithm ed25519 -out k && "
           "openssl pkey -in k -pubout -out p && printf bytes >d && "
           "openssl pkeyutl -sign -rawin -inkey k -in d -out s",
           dir);
  g_autofree char *key_path = g_build_filename (dir, "k", NULL);
  g_autofree char *pem_path = g_build_filename (dir, "p", NULL);
  g_autofree char *sig_path = g_build_filename (dir, "s", NULL);
  g_autofree char *pem = NULL, *sig = NULL;
  size_t pem_size, sig_size;
  g_assert_true (g_file_get_contents (pem_path, &pem, &pem_size, NULL));
  g_assert_true (g_file_get_contents (sig_path, &sig, &sig_size, NULL));
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreePublicKey) public
    = vtree_public_key_new_from_pem (pem, pem_size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (sig_size, ==, VTREE_SIGNATURE_SIZE);
  g_assert_true (vtree_public_key_verify (public, "bytes", 5, (uint8_t *) sig));
  g_autoptr (VtreePrivateKey) key = vtree_private_key_load (key_path, &error);
  g_assert_no_error (error);
  uint8_t ours[VTREE_SIGNATURE_SIZE];
  g_assert_true (vtree_private_key_sign (key, "bytes", 5, ours, &error));
  vtree_test_assert_bytes (ours, sizeof ours, sig,
                           sig_size); /* Ed25519 has no randomness */
}

#define BEGIN "-----BEGIN PUBLIC KEY-----\n"
#define END "-----END PUBLIC KEY-----\n"
#define BODY "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n"
#define X25519 "MCowBQYDK2VuAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n"

static const struct {
  const char *name;
  const char *pem;
  const char *fault; /* NULL: accepted */
} pems[] = {
  { "good", BEGIN BODY END, NULL },
  { "crlf",
    "-----BEGIN PUBLIC KEY-----\r\n"
    "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\r\n"
    "-----END PUBLIC KEY-----\r\n",
    NULL },
  { "no-last-newline", BEGIN BODY "-----END PUBLIC KEY-----", NULL },
  { "newlines-behind", BEGIN BODY END "\n\n", NULL },
  { "two-lines",
    BEGIN "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7Q\n"
          "AjDwWAgW7RO6MwOsXeuRFUiQgCU=\n" END,
    NULL },
  { "empty", "", "not one PEM block" },
  { "rubbish", "rubbish\n", "not one PEM block" },
  { "only-frame", BEGIN END, "not one PEM block" },
  { "empty-body", BEGIN "\n" END, "not one PEM block" },
  { "text-before", "key of Alice\n" BEGIN BODY END, "not one PEM block" },
  { "text-behind", BEGIN BODY END "more\n", "not one PEM block" },
  { "two-keys", BEGIN BODY END BEGIN BODY END, "malformed base64" },
  { "other-type", "-----BEGIN CERTIFICATE-----\n" BODY "-----END CERTIFICATE-----\n",
    "not one PEM block" },
  { "private",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIMWqjfQ/"
    "n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3\n-----END PRIVATE KEY-----\n",
    "this is a private key" },
  { "x25519", BEGIN X25519 END, "not an Ed25519 key" },
  { "too-short", BEGIN "MCowBQYDK2VwAyEA\n" END, "not an Ed25519 key" },
  { "too-long",
    BEGIN "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCUAAAA=\n" END,
    "not an Ed25519 key" },
  { "bad-base64", BEGIN "MCow*QYDK2VwAyEA\n" END, "malformed base64" },
};

static void
test_public_pem (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (pems); i++) {
    g_test_message ("%s", pems[i].name);
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreePublicKey) key
      = vtree_public_key_new_from_pem (pems[i].pem, strlen (pems[i].pem), &error);
    if (pems[i].fault != NULL) {
      g_assert_null (key);
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, pems[i].fault);
      continue;
    }
    g_assert_no_error (error);
    g_autofree char *again = vtree_public_key_to_pem (key);
    g_assert_cmpstr (again, ==, pems[0].pem);
  }
}

static void
test_public_pem_bytes (void)
{
  g_autoptr (GError) error = NULL;
  const char nul[] = BEGIN BODY END "\0rubbish";
  g_assert_null (vtree_public_key_new_from_pem (nul, sizeof nul, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, NULL);
  g_clear_error (&error);
  g_autofree char *large = g_strnfill (VTREE_KEY_FILE_MAX + 1, '\n');
  memcpy (large, pems[0].pem, strlen (pems[0].pem));
  g_assert_null (vtree_public_key_new_from_pem (large, VTREE_KEY_FILE_MAX + 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "more than");
}

static void
test_key_id_text (void)
{
  VtreeKeyId id;
  char text[VTREE_KEY_ID_TEXT_MAX];
  g_autofree char *good = g_strnfill (64, 'a');
  g_assert_true (vtree_key_id_parse (good, &id));
  g_assert_cmpstr (vtree_key_id_format (&id, text), ==, good);
  g_autofree char *upper = g_strnfill (64, 'A');
  g_assert_false (vtree_key_id_parse (upper, &id));
  g_autofree char *longer = g_strnfill (65, 'a');
  g_assert_false (vtree_key_id_parse (longer, &id));
  g_autofree char *shorter = g_strnfill (63, 'a');
  g_assert_false (vtree_key_id_parse (shorter, &id));
}

static const struct {
  const char *name;
  mode_t mode;
  bool ok;
} modes[] = {
  { "0600", 0600, true },         { "0400", 0400, true },
  { "group-read", 0640, false },  { "world", 0604, false },
  { "group-write", 0620, false },
};

static void
test_private_mode (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (VtreePrivateKey) key = generate ();
  g_autofree char *path = save_key (key, dir);
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
  for (size_t i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_test_message ("%s", modes[i].name);
    g_assert_cmpint (chmod (path, modes[i].mode), ==, 0);
    g_autoptr (GError) error = NULL;
    g_autoptr (VtreePrivateKey) loaded = vtree_private_key_load (path, &error);
    g_assert_cmpint (loaded != NULL, ==, modes[i].ok);
    if (!modes[i].ok)
      vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "chmod 600");
  }
}

static void
test_private_owner (void)
{
  if (geteuid () != 0) {
    vtree_test_skip ("only root can give a file away");
    return;
  }
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (VtreePrivateKey) key = generate ();
  g_autofree char *path = save_key (key, dir);
  g_assert_cmpint (chown (path, 12345, 0), ==, 0);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_private_key_load (path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "uid 12345");
}

static void
test_private_never_over_another (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autoptr (VtreePrivateKey) key = generate ();
  g_autofree char *path = save_key (key, dir);
  g_autofree char *before = NULL, *after = NULL;
  g_assert_true (g_file_get_contents (path, &before, NULL, NULL));
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (VtreePrivateKey) other = generate ();
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_private_key_save (other, fd, "key.pem", &error));
  vtree_test_assert_error (error, VTREE_ERRNO_ERROR, EEXIST, "key.pem");
  g_assert_true (g_file_get_contents (path, &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);
}

static void
test_private_not_a_file (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_private_key_load (fifo, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_UNTRUSTED, "not a regular");
  g_clear_error (&error);
  g_autofree char *none = g_build_filename (dir, "none", NULL);
  g_assert_null (vtree_private_key_load (none, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_MISSING, "no such file");
}

static void
assert_load_invalid (const char *path, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_private_key_load (path, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, part);
}

static void
test_private_malformed (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "k", NULL);
  write_file (path, "", 0, 0600);
  assert_load_invalid (path, "not a PEM private key");
  write_file (path, pems[0].pem, strlen (pems[0].pem), 0600);
  assert_load_invalid (path, "not a PEM private key");
  g_autofree char *large = g_strnfill (VTREE_KEY_FILE_MAX, '\n');
  write_file (path, large, VTREE_KEY_FILE_MAX, 0600);
  assert_load_invalid (path, "bytes or more");
  if (!have_openssl ())
    return;
  g_autofree char *a
    = run ("umask 077 && openssl genpkey -algorithm x25519 -out %s", path);
  assert_load_invalid (path, "not an Ed25519 key");
  g_autofree char *b = run ("umask 077 && openssl genpkey -algorithm ed25519 "
                            "-aes256 -pass pass:x -out %s",
                            path);
  assert_load_invalid (path, "encrypted keys are not supported");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/key/sign-and-verify", test_sign_and_verify);
  g_test_add_func ("/core/key/rfc-8032-vector", test_rfc_8032_vector);
  g_test_add_func ("/core/key/openssl-reads-ours", test_openssl_reads_ours);
  g_test_add_func ("/core/key/we-read-openssl", test_we_read_openssl);
  g_test_add_func ("/core/key/public-pem", test_public_pem);
  g_test_add_func ("/core/key/public-pem-bytes", test_public_pem_bytes);
  g_test_add_func ("/core/key/key-id-text", test_key_id_text);
  g_test_add_func ("/core/key/private-mode", test_private_mode);
  g_test_add_func ("/core/key/private-owner", test_private_owner);
  g_test_add_func ("/core/key/private-never-over-another",
                   test_private_never_over_another);
  g_test_add_func ("/core/key/private-not-a-file", test_private_not_a_file);
  g_test_add_func ("/core/key/private-malformed", test_private_malformed);
  return vtree_test_run ();
}
