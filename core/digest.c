/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the forms of a digest: text, path, raw. Computes none: see verity.c.
 */
#include "core/digest.h"

#include "core/text.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

G_STATIC_ASSERT (VTREE_DIGEST_TEXT_MAX == 7 + 2 * VTREE_DIGEST_MAX_SIZE + 1);
G_STATIC_ASSERT (VTREE_DIGEST_PATH_MAX == 1 + 2 * VTREE_DIGEST_MAX_SIZE + 1);

static const struct {
  VtreeDigestAlg alg;
  const char *name;
  size_t size;
} algs[] = {
  { VTREE_DIGEST_SHA256, "sha256", 32 },
  { VTREE_DIGEST_SHA512, "sha512", 64 },
};

size_t
vtree_digest_alg_size (VtreeDigestAlg alg)
{
  return alg == VTREE_DIGEST_SHA512 ? 64 : 32;
}

const char *
vtree_digest_alg_name (VtreeDigestAlg alg)
{
  return alg == VTREE_DIGEST_SHA512 ? "sha512" : "sha256";
}

bool
vtree_digest_alg_parse (const char *name, VtreeDigestAlg *alg)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algs); i++) {
    if (strcmp (algs[i].name, name) == 0) {
      *alg = algs[i].alg;
      return true;
    }
  }
  return false;
}

/* Length of the "sha256:" that TEXT begins with, or 0. */
static size_t
parse_prefix (const char *text, VtreeDigestAlg *alg)
{
  for (size_t i = 0; i < G_N_ELEMENTS (algs); i++) {
    size_t length = strlen (algs[i].name);
    if (strncmp (text, algs[i].name, length) == 0 && text[length] == ':') {
      *alg = algs[i].alg;
      return length + 1;
    }
  }
  return 0;
}

static bool
parse_text (const char *text, VtreeDigest *digest)
{
  VtreeDigestAlg alg;
  size_t prefix = parse_prefix (text, &alg);
  if (prefix == 0)
    return false;
  const char *hex = text + prefix;
  size_t size = vtree_digest_alg_size (alg);
  uint8_t value[VTREE_DIGEST_MAX_SIZE];
  if (strlen (hex) != 2 * size || !vtree_text_parse_hex (hex, value, size))
    return false;
  vtree_digest_init (digest, alg, value);
  return true;
}

bool
vtree_digest_parse (const char *text, VtreeDigest *digest, GError **error)
{
  if (parse_text (text, digest))
    return true;
  g_autofree char *escaped = vtree_error_escape (text, (gssize) strnlen (text, 160));
  return vtree_error_set (
    error, VTREE_ERROR_INVALID,
    "parse digest \"%s\": not sha256: with 64 or sha512: with 128 "
    "lower-case hex digits",
    escaped);
}

bool
vtree_digest_looks_like (const char *text)
{
  VtreeDigestAlg alg;
  return parse_prefix (text, &alg) > 0;
}

void
vtree_digest_init (VtreeDigest *digest, VtreeDigestAlg alg, const uint8_t *value)
{
  VtreeDigest made = { .alg = alg };
  memcpy (made.value, value, vtree_digest_alg_size (alg));
  *digest = made;
}

char *
vtree_digest_format (const VtreeDigest *digest, char text[VTREE_DIGEST_TEXT_MAX])
{
  const char *name = vtree_digest_alg_name (digest->alg);
  size_t length = strlen (name);
  memcpy (text, name, length);
  text[length] = ':';
  vtree_text_format_hex (digest->value, vtree_digest_alg_size (digest->alg),
                         text + length + 1);
  return text;
}

char *
vtree_digest_path (const VtreeDigest *digest, char path[VTREE_DIGEST_PATH_MAX])
{
  vtree_text_format_hex (digest->value, 1, path);
  path[2] = '/';
  vtree_text_format_hex (digest->value + 1, vtree_digest_alg_size (digest->alg) - 1,
                         path + 3);
  return path;
}

bool
vtree_digest_from_path (VtreeDigestAlg alg, const char *dir, const char *file,
                        VtreeDigest *digest)
{
  size_t size = vtree_digest_alg_size (alg);
  uint8_t value[VTREE_DIGEST_MAX_SIZE];
  if (strlen (dir) != 2 || strlen (file) != 2 * (size - 1))
    return false;
  if (!vtree_text_parse_hex (dir, value, 1)
      || !vtree_text_parse_hex (file, value + 1, size - 1))
    return false;
  vtree_digest_init (digest, alg, value);
  return true;
}

bool
vtree_digest_equal (const VtreeDigest *a, const VtreeDigest *b)
{
  return a->alg == b->alg
         && memcmp (a->value, b->value, vtree_digest_alg_size (a->alg)) == 0;
}

int
vtree_digest_compare (const VtreeDigest *a, const VtreeDigest *b)
{
  if (a->alg != b->alg)
    return a->alg < b->alg ? -1 : 1;
  return memcmp (a->value, b->value, vtree_digest_alg_size (a->alg));
}

guint
vtree_digest_hash (gconstpointer digest)
{
  const VtreeDigest *d = digest;
  uint64_t hash = XXH3_64bits (d->value, vtree_digest_alg_size (d->alg));
  return (guint) (hash ^ hash >> 32);
}

gboolean
vtree_digest_equal_func (gconstpointer a, gconstpointer b)
{
  return vtree_digest_equal (a, b);
}

VtreeDigest *
vtree_digest_dup (const VtreeDigest *digest)
{
  VtreeDigest *copy = g_new (VtreeDigest, 1);
  *copy = *digest;
  return copy;
}
