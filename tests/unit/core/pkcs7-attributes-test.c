/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signed attributes that are not what they should be, properly signed all the same. */
#include "core/certificate-private.h"
#include "core/der.h"
#include "core/pkcs7-private.h"
#include "core/pkcs7.h"
#include "tests/lib/test.h"
#include "tests/unit/core/certificate-fixture.h"

#include <string.h>

#define MESSAGE "vtree-what-is-signed"

static const uint8_t other_oid[] = { 0x2a, 0x03, 0x04 };

static VtreeSpan
span_of (GBytes *bytes)
{
  VtreeSpan span;
  span.data = g_bytes_get_data (bytes, &span.size);
  return span;
}

static GBytes *
element (uint8_t tag, VtreeSpan contents)
{
  GBytes *part = g_bytes_new (contents.data, contents.size);
  return vtree_der_wrap_take (tag, &part, 1);
}

static GBytes *
oid (VtreeSpan name)
{
  return element (VTREE_DER_OID, name);
}

/* An attribute with COUNT times VALUE, which is freed. */
static GBytes *
attribute (GBytes *name, GBytes *value, size_t count)
{
  GBytes *values[3] = { NULL };
  for (size_t i = 0; i < count; i++)
    values[i] = g_bytes_ref (value);
  g_bytes_unref (value);
  GBytes *parts[] = { name, vtree_der_wrap_take (VTREE_DER_SET, values, count) };
  return vtree_der_wrap_take (VTREE_DER_SEQUENCE, parts, 2);
}

static GBytes *
type_of (VtreeSpan type, size_t count)
{
  return attribute (oid (vtree_pkcs7_oid_content_type ()),
                    element (VTREE_DER_OID, type), count);
}

static GBytes *
digest_of (const char *message, size_t count)
{
  uint8_t digest[VTREE_ASYMMETRIC_HASH_MAX];
  VtreeSpan span = { (const uint8_t *) message, strlen (message) };
  size_t size = vtree_asymmetric_digest (VTREE_ASYMMETRIC_SHA256, span, digest);
  return attribute (oid (vtree_pkcs7_oid_message_digest ()),
                    element (VTREE_DER_OCTETS, (VtreeSpan){ digest, size }), count);
}

static GBytes *
anything (void)
{
  return attribute (oid ((VtreeSpan){ other_oid, sizeof other_oid }),
                    element (VTREE_DER_OCTETS, (VtreeSpan){ NULL, 0 }), 1);
}

static GBytes *
wrap (uint8_t tag, GBytes *a, GBytes *b, GBytes *c)
{
  GBytes *parts[] = { a, b, c };
  return vtree_der_wrap_take (tag, parts, c != NULL ? 3 : b != NULL ? 2 : 1);
}

static GBytes *
algorithm (VtreeSpan name)
{
  return wrap (VTREE_DER_SEQUENCE, element (VTREE_DER_OID, name), NULL, NULL);
}

/* SignedData around the COUNT attributes, which are freed, signed by BY (ECDSA). */
static GBytes *
make (const Certified *by, GBytes *const *attributes, size_t count)
{
  static const uint8_t one = 1;
  bool has_null;
  VtreeSpan hash = vtree_pkcs7_oid_hash (VTREE_ASYMMETRIC_SHA256);
  VtreeSpan ecdsa = vtree_pkcs7_oid_signature (VTREE_ASYMMETRIC_ECDSA,
                                               VTREE_ASYMMETRIC_SHA256, &has_null);
  VtreeSpan issuer = vtree_certificate_issuer_der (by->certificate);
  VtreeSpan serial = vtree_certificate_serial (by->certificate);
  g_autoptr (GBytes) set = vtree_der_wrap_take (VTREE_DER_SET, attributes, count);
  g_autofree uint8_t *tagged
    = g_memdup2 (g_bytes_get_data (set, NULL), g_bytes_get_size (set));
  tagged[0] = VTREE_DER_CONTEXT (0);
  g_autoptr (GBytes) value
    = vtree_asymmetric_sign (by->pkey, VTREE_ASYMMETRIC_SHA256, span_of (set), NULL);
  GBytes *info[] = { element (VTREE_DER_INTEGER, (VtreeSpan){ &one, 1 }),
                     wrap (VTREE_DER_SEQUENCE, g_bytes_new (issuer.data, issuer.size),
                           g_bytes_new (serial.data, serial.size), NULL),
                     algorithm (hash),
                     g_bytes_new (tagged, g_bytes_get_size (set)),
                     algorithm (ecdsa),
                     element (VTREE_DER_OCTETS, span_of (value)) };
  GBytes *infos = wrap (
    VTREE_DER_SET, vtree_der_wrap_take (VTREE_DER_SEQUENCE, info, G_N_ELEMENTS (info)),
    NULL, NULL);
  GBytes *data[] = { element (VTREE_DER_INTEGER, (VtreeSpan){ &one, 1 }),
                     wrap (VTREE_DER_SET, algorithm (hash), NULL, NULL),
                     algorithm (vtree_pkcs7_oid_data ()), infos };
  GBytes *inner = wrap (VTREE_DER_CONTEXT (0),
                        vtree_der_wrap_take (VTREE_DER_SEQUENCE, data, 4), NULL, NULL);
  return wrap (VTREE_DER_SEQUENCE,
               element (VTREE_DER_OID, vtree_pkcs7_oid_signed_data ()), inner, NULL);
}

/* Whether the attributes will do; PART is of the message where not. */
static void
check (GBytes *a, GBytes *b, GBytes *c, const char *part)
{
  GBytes *attributes[] = { a, b, c };
  size_t count = c != NULL ? 3 : b != NULL ? 2 : a != NULL ? 1 : 0;
  g_auto (Certified) one = { NULL };
  certified_init (&one, certified_key ("EC P-256"), "one", 1);
  g_autoptr (GBytes) pkcs7 = make (&one, attributes, count);
  g_autoptr (GError) error = NULL;
  bool ok = vtree_pkcs7_verify (
    one.certificate, (VtreeSpan){ (const uint8_t *) MESSAGE, strlen (MESSAGE) },
    span_of (pkcs7), &error);
  if (part == NULL)
    g_assert_no_error (error);
  else
    g_assert_nonnull (strstr (error->message, part));
  g_assert_cmpint (ok, ==, part == NULL);
}

static void
test_good (void)
{
  VtreeSpan data = vtree_pkcs7_oid_data ();
  check (type_of (data, 1), digest_of (MESSAGE, 1), NULL, NULL);
  check (digest_of (MESSAGE, 1), anything (), type_of (data, 1), NULL);
}

static void
test_missing (void)
{
  const char *part = "is not there once";
  check (NULL, NULL, NULL, part);
  check (type_of (vtree_pkcs7_oid_data (), 1), NULL, NULL, part);
  check (digest_of (MESSAGE, 1), anything (), NULL, part);
}

/* The first digest is the message's, or the last one. */
static void
test_twice (void)
{
  VtreeSpan data = vtree_pkcs7_oid_data ();
  check (type_of (data, 1), digest_of (MESSAGE, 1), digest_of ("x", 1), "there once");
  check (type_of (data, 1), digest_of ("x", 1), digest_of (MESSAGE, 1), "there once");
  check (type_of (data, 1), digest_of (MESSAGE, 1), type_of (data, 1), "there once");
  check (type_of (data, 1), digest_of (MESSAGE, 2), NULL, "its signed attributes");
  check (type_of (data, 2), digest_of (MESSAGE, 1), NULL, "its signed attributes");
  check (type_of (data, 1), digest_of (MESSAGE, 0), NULL, "its signed attributes");
}

static void
test_another_digest (void)
{
  check (type_of (vtree_pkcs7_oid_data (), 1), digest_of ("x", 1), NULL,
         "not over these bytes");
}

static void
test_another_type (void)
{
  check (type_of (vtree_pkcs7_oid_signed_data (), 1), digest_of (MESSAGE, 1), NULL,
         "another type of content");
}

static void
test_no_attributes_at_all (void)
{
  check (g_bytes_new ("\x04\x00", 2), NULL, NULL, "its signed attributes");
  check (g_bytes_new ("\x30\x80\x00\x00", 4), NULL, NULL, "its signed attributes");
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/pkcs7-attributes/good", test_good);
  g_test_add_func ("/core/pkcs7-attributes/missing", test_missing);
  g_test_add_func ("/core/pkcs7-attributes/twice", test_twice);
  g_test_add_func ("/core/pkcs7-attributes/another-digest", test_another_digest);
  g_test_add_func ("/core/pkcs7-attributes/another-type", test_another_type);
  g_test_add_func ("/core/pkcs7-attributes/none", test_no_attributes_at_all);
  return vtree_test_run ();
}
