/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the form of a detached signature: the fields of RFC 5652's SignedData, and the
 * list of object identifiers. Verifies nothing: see pkcs7.c.
 */
#include "core/der.h"
#include "core/pkcs7-private.h"
#include "core/pkcs7.h"

#include <string.h>

/* Of SignedData; they differ in what may come along. */
#define VERSION_MIN 1
#define VERSION_MAX 5

typedef struct {
  uint8_t size;
  uint8_t bytes[11];
} Oid;

static const Oid oid_data
  = { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01 } };
static const Oid oid_signed_data
  = { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02 } };
static const Oid oid_content_type
  = { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03 } };
static const Oid oid_message_digest
  = { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04 } };

static const struct {
  Oid oid;
  VtreeAsymmetricHash hash;
} hashes[] = {
  { { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 } },
    VTREE_ASYMMETRIC_SHA256 },
  { { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 } },
    VTREE_ASYMMETRIC_SHA384 },
  { { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 } },
    VTREE_ASYMMETRIC_SHA512 },
};

/* A writer takes the first one that fits. RFC 8419 wants SHA-512 beside Ed25519. */
static const struct {
  VtreeAsymmetric kind;
  VtreeAsymmetricHash hash;
  bool any_hash; /* it does not name one */
  bool has_null;
  Oid oid;
} algorithms[] = {
  /* rsaEncryption */
  { VTREE_ASYMMETRIC_RSA,
    VTREE_ASYMMETRIC_SHA256,
    true,
    true,
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 } } },
  /* sha256WithRSAEncryption and so on */
  { VTREE_ASYMMETRIC_RSA,
    VTREE_ASYMMETRIC_SHA256,
    false,
    true,
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b } } },
  { VTREE_ASYMMETRIC_RSA,
    VTREE_ASYMMETRIC_SHA384,
    false,
    true,
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c } } },
  { VTREE_ASYMMETRIC_RSA,
    VTREE_ASYMMETRIC_SHA512,
    false,
    true,
    { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d } } },
  /* ecdsa-with-SHA256 and so on */
  { VTREE_ASYMMETRIC_ECDSA,
    VTREE_ASYMMETRIC_SHA256,
    false,
    false,
    { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 } } },
  { VTREE_ASYMMETRIC_ECDSA,
    VTREE_ASYMMETRIC_SHA384,
    false,
    false,
    { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 } } },
  { VTREE_ASYMMETRIC_ECDSA,
    VTREE_ASYMMETRIC_SHA512,
    false,
    false,
    { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 } } },
  /* id-Ed25519 */
  { VTREE_ASYMMETRIC_ED25519,
    VTREE_ASYMMETRIC_SHA512,
    false,
    false,
    { 3, { 0x2b, 0x65, 0x70 } } },
};

static VtreeSpan
span_of (const Oid *oid)
{
  return (VtreeSpan){ oid->bytes, oid->size };
}

static bool
is (VtreeSpan contents, const Oid *oid)
{
  return vtree_der_equal (contents, span_of (oid));
}

VtreeSpan
vtree_pkcs7_oid_data (void)
{
  return span_of (&oid_data);
}

VtreeSpan
vtree_pkcs7_oid_signed_data (void)
{
  return span_of (&oid_signed_data);
}

VtreeSpan
vtree_pkcs7_oid_content_type (void)
{
  return span_of (&oid_content_type);
}

VtreeSpan
vtree_pkcs7_oid_message_digest (void)
{
  return span_of (&oid_message_digest);
}

VtreeSpan
vtree_pkcs7_oid_hash (VtreeAsymmetricHash hash)
{
  for (size_t i = 0; i < G_N_ELEMENTS (hashes); i++) {
    if (hashes[i].hash == hash)
      return span_of (&hashes[i].oid);
  }
  g_assert_not_reached ();
}

VtreeSpan
vtree_pkcs7_oid_signature (VtreeAsymmetric kind, VtreeAsymmetricHash hash,
                           bool *has_null)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algorithms); i++) {
    if (algorithms[i].kind != kind
        || (!algorithms[i].any_hash && algorithms[i].hash != hash))
      continue;
    *has_null = algorithms[i].has_null;
    return span_of (&algorithms[i].oid);
  }
  g_assert_not_reached ();
}

static bool
set_malformed (GError **error, const char *fault)
{
  return vtree_error_set (error, VTREE_ERROR_CORRUPT, "malformed PKCS #7: %s", fault);
}

static bool
set_refused (GError **error, const char *fault)
{
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED, "%s", fault);
}

/* An AlgorithmIdentifier without parameters, or with NULL; *OID is its name's. */
static bool
take_algorithm (VtreeSpan *from, VtreeSpan *oid)
{
  VtreeSpan contents, parameters;
  return vtree_der_take (from, VTREE_DER_SEQUENCE, &contents)
         && vtree_der_take (&contents, VTREE_DER_OID, oid)
         && vtree_der_take_optional (&contents, VTREE_DER_NULL, &parameters)
         && parameters.size == 0 && contents.size == 0;
}

static bool
parse_hash (VtreeSpan oid, VtreeAsymmetricHash *hash)
{
  for (size_t i = 0; i < G_N_ELEMENTS (hashes); i++) {
    if (!is (oid, &hashes[i].oid))
      continue;
    *hash = hashes[i].hash;
    return true;
  }
  return false;
}

/* The algorithm OID, which must not name another hash than FIELDS has. */
static bool
parse_algorithm (VtreeSpan oid, VtreePkcs7 *fields)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algorithms); i++) {
    if (!is (oid, &algorithms[i].oid))
      continue;
    fields->kind = algorithms[i].kind;
    return algorithms[i].any_hash || algorithms[i].hash == fields->hash;
  }
  return false;
}

/* The one element TAG that the values of an attribute are; false if that is not so. */
static bool
take_single_value (VtreeSpan values, uint8_t tag, VtreeSpan *value)
{
  return vtree_der_take (&values, tag, value) && values.size == 0;
}

typedef struct {
  unsigned types;
  unsigned digests;
  VtreeSpan type;
  VtreeSpan digest;
} Attributes;

static bool
parse_attribute (VtreeSpan attribute, Attributes *found)
{
  VtreeSpan name, values;
  if (!vtree_der_take (&attribute, VTREE_DER_OID, &name)
      || !vtree_der_take (&attribute, VTREE_DER_SET, &values) || attribute.size != 0)
    return false;
  if (is (name, &oid_content_type)) {
    found->types++;
    return take_single_value (values, VTREE_DER_OID, &found->type);
  }
  if (is (name, &oid_message_digest)) {
    found->digests++;
    return take_single_value (values, VTREE_DER_OCTETS, &found->digest);
  }
  return true;
}

static bool
parse_attributes (VtreePkcs7 *fields, GError **error)
{
  Attributes found = { 0 };
  VtreeSpan whole = fields->attributes, list, attribute;
  if (!vtree_der_take (&whole, VTREE_DER_CONTEXT (0), &list))
    return set_malformed (error, "its signed attributes");
  while (list.size > 0) {
    if (!vtree_der_take (&list, VTREE_DER_SEQUENCE, &attribute)
        || !parse_attribute (attribute, &found))
      return set_malformed (error, "its signed attributes");
  }
  if (found.types != 1 || found.digests != 1)
    return set_malformed (error, "contentType or messageDigest is not there once");
  if (!is (found.type, &oid_data))
    return set_refused (error, "it signs another type of content than data");
  fields->digest = found.digest;
  return true;
}

/* Either form of SignerIdentifier, and the version that goes with it. */
static bool
parse_signer (VtreeSpan *info, VtreePkcs7 *fields)
{
  VtreeSpan version, by_name;
  if (!vtree_der_take (info, VTREE_DER_INTEGER, &version) || version.size != 1
      || !vtree_der_take_optional (info, VTREE_DER_SEQUENCE, &by_name))
    return false;
  if (by_name.data == NULL)
    return version.data[0] == 3
           && vtree_der_take (info, VTREE_DER_CONTEXT_PLAIN (0), &fields->identifier);
  return version.data[0] == 1
         && vtree_der_take_whole (&by_name, VTREE_DER_SEQUENCE, &fields->issuer)
         && vtree_der_take_whole (&by_name, VTREE_DER_INTEGER, &fields->serial)
         && by_name.size == 0;
}

/* Takes the whole element [0] of INFO where it begins with one. */
static bool
take_attributes (VtreeSpan *info, VtreePkcs7 *fields, GError **error)
{
  fields->attributes = (VtreeSpan){ NULL, 0 };
  if (info->size == 0 || info->data[0] != VTREE_DER_CONTEXT (0))
    return true;
  if (!vtree_der_take_whole (info, VTREE_DER_CONTEXT (0), &fields->attributes))
    return set_malformed (error, "its signed attributes");
  return parse_attributes (fields, error);
}

static bool
parse_info (VtreeSpan info, VtreePkcs7 *fields, GError **error)
{
  VtreeSpan hash, algorithm, unsigned_attributes;
  if (!parse_signer (&info, fields))
    return set_malformed (error, "its signer");
  if (!take_algorithm (&info, &hash) || !parse_hash (hash, &fields->hash))
    return set_refused (error, "its hash is none of SHA-256, SHA-384 and SHA-512");
  if (!take_attributes (&info, fields, error))
    return false;
  if (!take_algorithm (&info, &algorithm) || !parse_algorithm (algorithm, fields))
    return set_refused (error, "its algorithm is none of RSA (PKCS #1 v1.5), ECDSA and "
                               "Ed25519 that goes with its hash");
  if (!vtree_der_take (&info, VTREE_DER_OCTETS, &fields->signature)
      || !vtree_der_take_optional (&info, VTREE_DER_CONTEXT (1), &unsigned_attributes)
      || info.size != 0)
    return set_malformed (error, "its signature");
  return true;
}

/* The content: of type data, and elsewhere. */
static bool
parse_content (VtreeSpan *data, GError **error)
{
  VtreeSpan content, type;
  if (!vtree_der_take (data, VTREE_DER_SEQUENCE, &content)
      || !vtree_der_take (&content, VTREE_DER_OID, &type))
    return set_malformed (error, "its content");
  if (!is (type, &oid_data))
    return set_refused (error, "it signs another type of content than data");
  if (content.size != 0)
    return set_refused (error, "it has its content inside: not a detached signature");
  return true;
}

/* The list of all hashes that are used: with one signer, that is its own. */
static bool
check_hashes (VtreeSpan hashes_used, VtreeAsymmetricHash hash, GError **error)
{
  VtreeSpan oid;
  VtreeAsymmetricHash listed;
  if (take_algorithm (&hashes_used, &oid) && hashes_used.size == 0
      && parse_hash (oid, &listed) && listed == hash)
    return true;
  return set_malformed (error, "its list of hashes is not its signer's hash");
}

static bool
parse_signed_data (VtreeSpan data, VtreePkcs7 *fields, GError **error)
{
  VtreeSpan version, hashes_used, certificates, lists, infos, info;
  if (!vtree_der_take (&data, VTREE_DER_INTEGER, &version) || version.size != 1
      || version.data[0] < VERSION_MIN || version.data[0] > VERSION_MAX
      || !vtree_der_take (&data, VTREE_DER_SET, &hashes_used))
    return set_malformed (error, "its version or algorithms");
  if (!parse_content (&data, error))
    return false;
  if (!vtree_der_take_optional (&data, VTREE_DER_CONTEXT (0), &certificates)
      || !vtree_der_take_optional (&data, VTREE_DER_CONTEXT (1), &lists)
      || !vtree_der_take (&data, VTREE_DER_SET, &infos) || data.size != 0)
    return set_malformed (error, "its certificates or signers");
  if (!vtree_der_take (&infos, VTREE_DER_SEQUENCE, &info))
    return set_malformed (error, "it has no signer");
  if (infos.size != 0)
    return set_refused (error, "it has more than one signer");
  return parse_info (info, fields, error)
         && check_hashes (hashes_used, fields->hash, error);
}

bool
vtree_pkcs7_parse (VtreeSpan bytes, VtreePkcs7 *fields, GError **error)
{
  VtreeSpan outer, type, inner, data;
  *fields = (VtreePkcs7){ .hash = VTREE_ASYMMETRIC_SHA256 };
  if (bytes.size > VTREE_PKCS7_MAX)
    return set_malformed (error, "more than 65536 bytes");
  if (!vtree_der_take (&bytes, VTREE_DER_SEQUENCE, &outer) || bytes.size != 0
      || !vtree_der_take (&outer, VTREE_DER_OID, &type))
    return set_malformed (error, "it is not one element of DER");
  if (!is (type, &oid_signed_data))
    return set_refused (error, "it is PKCS #7, but not signed data");
  if (!vtree_der_take (&outer, VTREE_DER_CONTEXT (0), &inner) || outer.size != 0
      || !vtree_der_take (&inner, VTREE_DER_SEQUENCE, &data) || inner.size != 0)
    return set_malformed (error, "it holds no signed data");
  return parse_signed_data (data, fields, error);
}
