/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signers: keys, certificates and commands, and what commands can do wrong. */
#include "core/pkcs7.h"
#include "core/signer.h"
#include "tests/lib/test.h"
#include "tests/unit/core/certificate-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define MESSAGE "vtree-what-is-signed"

typedef struct {
  char *dir;
  Certified edwards;
  Certified curve;
  char *public_pem;
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  (void) unused;
  f->dir = vtree_test_make_dir ();
  certified_init (&f->edwards, certified_key ("ED25519"), "ed", 1);
  certified_init (&f->curve, certified_key ("EC P-256"), "ec", 2);
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (f->edwards.key, NULL);
  f->public_pem = vtree_public_key_to_pem (public);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  (void) unused;
  certified_clear (&f->edwards);
  certified_clear (&f->curve);
  g_free (f->public_pem);
  g_free (f->dir);
}

/* Signs MESSAGE with SIGNER, which is taken. */
static VtreeSignatures *
sign (VtreeSigner *signer, GError **error)
{
  g_autoptr (GPtrArray) signers = vtree_signers_new ();
  g_autoptr (GBytes) message = g_bytes_new_static (MESSAGE, strlen (MESSAGE));
  const VtreeSigningRequest request
    = { .message = message, .ref = "apps/x", .version = 7 };
  g_assert_nonnull (signer);
  g_ptr_array_add (signers, signer);
  return vtree_signers_sign (signers, &request, error);
}

static VtreeSigner *
commanded (const char *command, const char *pem)
{
  g_autoptr (GError) error = NULL;
  VtreeSigner *signer = vtree_signer_new_for_command (command, "some/file.pem", pem,
                                                      strlen (pem), &error);
  g_assert_no_error (error);
  return signer;
}

/* COMMAND, in place of a signer for PEM, fails with CODE and PART. */
static void
assert_fails (const char *command, const char *pem, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_test_message ("%s", command);
  g_assert_null (sign (commanded (command, pem), &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, part);
  g_assert_true (g_str_has_prefix (error->message, "sign command '"));
}

/* A file with the signature that BY makes; its path. */
static char *
put_signature (const Fixture *f, const Certified *by, const char *message)
{
  char *path = g_build_filename (f->dir, "signature", NULL);
  VtreeSpan span = { (const uint8_t *) message, strlen (message) };
  g_autoptr (GBytes) pkcs7 = vtree_pkcs7_sign (by->certificate, by->key, span, NULL);
  g_assert_true (g_file_set_contents (path, g_bytes_get_data (pkcs7, NULL),
                                      (gssize) g_bytes_get_size (pkcs7), NULL));
  return path;
}

static void
test_key (Fixture *f, gconstpointer unused)
{
  (void) f;
  (void) unused;
  VtreePrivateKey *key = vtree_private_key_generate (NULL);
  g_autoptr (VtreePublicKey) public = vtree_private_key_public (key, NULL);
  g_autoptr (VtreeSignatures) signatures
    = sign (vtree_signer_new_for_key_take (key, NULL), NULL);
  const VtreeSignatureLine *line = vtree_signatures_peek (signatures, 0);
  g_assert_cmpstr (line->kind, ==, VTREE_SIGNATURE_ED25519);
  g_assert_true (vtree_key_id_equal (&line->id, vtree_public_key_id (public)));
  g_assert_true (
    vtree_public_key_verify (public, MESSAGE, strlen (MESSAGE), line->value));
}

static void
test_certificate (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_auto (Certified) copy = { NULL };
  certified_renew (&copy, &f->curve, "copy", 3);
  VtreeKeyId id = *vtree_certificate_id (copy.certificate);
  VtreeSigner *signer = vtree_signer_new_for_certificate_take (
    g_steal_pointer (&copy.certificate), g_steal_pointer (&copy.key), &error);
  g_assert_no_error (error);
  g_autoptr (VtreeSignatures) signatures = sign (signer, &error);
  g_assert_no_error (error);
  const VtreeSignatureLine *line = vtree_signatures_peek (signatures, 0);
  g_assert_cmpstr (line->kind, ==, VTREE_SIGNATURE_PKCS7);
  g_assert_true (vtree_key_id_equal (&line->id, &id));
}

static void
test_somebody_elses_key (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autoptr (GError) error = NULL;
  g_assert_null (
    vtree_signer_new_for_certificate_take (g_steal_pointer (&f->curve.certificate),
                                           g_steal_pointer (&f->edwards.key), &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID,
                           "not that of the certificate 'CN=ec'");
}

static void
test_command_for_certificate (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *path = put_signature (f, &f->curve, MESSAGE);
  g_autofree char *command = g_strconcat ("cat ", path, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (VtreeSignatures) signatures
    = sign (commanded (command, f->curve.pem), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vtree_signatures_count (signatures), ==, 1);
  assert_fails (command, f->edwards.pem, VTREE_ERROR_UNTRUSTED,
                "names another certificate");
  assert_fails (command, f->public_pem, VTREE_ERROR_UNTRUSTED,
                "a raw Ed25519 signature has 64");
}

static void
test_command_for_other_bytes (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *path = put_signature (f, &f->curve, "vtree-something-else");
  g_autofree char *command = g_strconcat ("cat ", path, NULL);
  assert_fails (command, f->curve.pem, VTREE_ERROR_UNTRUSTED, "not over these bytes");
}

/* What the command has found, in a file, as text. */
static char *
ask_command (const Fixture *f, const char *script)
{
  g_autofree char *path = g_build_filename (f->dir, "answer", NULL);
  g_autofree char *command = g_strdup_printf ("{ %s; } >%s; exit 3", script, path);
  char *text = NULL;
  assert_fails (command, f->public_pem, VTREE_ERROR_FAILED, "exit status 3");
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static void
test_input (Fixture *f, gconstpointer unused)
{
  (void) unused;
  g_autofree char *piped = ask_command (f, "cat");
  g_assert_cmpstr (piped, ==, MESSAGE);
  g_autofree char *named = ask_command (f, "cat /dev/stdin; wc -c </dev/stdin");
  g_assert_cmpstr (named, ==, MESSAGE "20\n");
  g_autofree char *sealed = ask_command (
    f, "{ echo x 2>/dev/null >/dev/stdin; } 2>/dev/null || echo no; cat");
  g_assert_cmpstr (sealed, ==, "no\n" MESSAGE);
}

static void
test_environment (Fixture *f, gconstpointer unused)
{
  (void) unused;
  char id[VTREE_KEY_ID_TEXT_MAX];
  VtreeKeyId bare = certified_key_id (f->edwards.key);
  vtree_key_id_format (&bare, id);
  g_autofree char *file = g_canonicalize_filename ("some/file.pem", NULL);
  g_autofree char *expected = g_strdup_printf ("ed25519 %s %s apps/x 7\n", id, file);
  g_autofree char *told
    = ask_command (f, "echo $VTREE_SIGN_KIND $VTREE_SIGN_ID $VTREE_SIGN_FILE "
                      "$VTREE_SIGN_REF $VTREE_SIGN_VERSION");
  g_assert_cmpstr (told, ==, expected);
}

static const struct {
  const char *command;
  int code;
  const char *part;
} failures[] = {
  { "true", VTREE_ERROR_FAILED, "it printed nothing" },
  { "false", VTREE_ERROR_FAILED, "it failed with exit status 1" },
  { "exec 2>/dev/null; no-such-program", VTREE_ERROR_FAILED, "exit status 127" },
  { "kill -9 $$", VTREE_ERROR_FAILED, "it was killed by signal 9" },
  { "yes", VTREE_ERROR_FAILED, "it printed more than 65536 bytes" },
  { "trap '' PIPE; yes 2>/dev/null", VTREE_ERROR_FAILED, "more than 65536 bytes" },
  { "head -c 65536 /dev/zero", VTREE_ERROR_UNTRUSTED, "it gave 65536 bytes" },
  { "head -c 64 /dev/zero", VTREE_ERROR_UNTRUSTED, "not this key's signature" },
  { "head -c 63 /dev/zero", VTREE_ERROR_UNTRUSTED, "it gave 63 bytes" },
  { "head -c 65 /dev/zero", VTREE_ERROR_UNTRUSTED, "it gave 65 bytes" },
  { "head -c 64 /dev/zero; false", VTREE_ERROR_FAILED, "exit status 1" },
};

static void
test_failures (Fixture *f, gconstpointer unused)
{
  (void) unused;
  for (size_t i = 0; i < G_N_ELEMENTS (failures); i++)
    assert_fails (failures[i].command, f->public_pem, failures[i].code,
                  failures[i].part);
}

static void
test_pem_that_is_none (Fixture *f, gconstpointer unused)
{
  (void) unused;
  (void) f;
  g_autoptr (GError) error = NULL;
  g_assert_null (vtree_signer_new_for_command ("true", "x", "x", 1, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID,
                           "not one PEM block");
}

#define ADD(name, function)                                                            \
  g_test_add ("/core/signer/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  ADD ("key", test_key);
  ADD ("certificate", test_certificate);
  ADD ("somebody-elses-key", test_somebody_elses_key);
  ADD ("command/certificate", test_command_for_certificate);
  ADD ("command/other-bytes", test_command_for_other_bytes);
  ADD ("command/input", test_input);
  ADD ("command/environment", test_environment);
  ADD ("command/failures", test_failures);
  ADD ("command/no-pem", test_pem_that_is_none);
  return vtree_test_run ();
}
