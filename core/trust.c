/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision whether a signature counts. Finding the keys is trust-load.c's;
 * what the signed bytes say is not looked at here.
 */
#include "core/trust.h"

#include "core/pkcs7.h"
#include "core/trust-store.h"

#include <string.h>

/* Why a line does not count; of several reasons the greatest one is told. */
typedef enum {
  WHY_UNSIGNED,
  WHY_KIND,
  WHY_UNKNOWN,
  WHY_PREFIX,
  WHY_REVOKED,
  WHY_MISMATCH,
  WHY_NOT, /* it does count */
} Why;

typedef struct {
  Why why;
  const VtreeSignatureLine *line;
  const VtreeTrustEntry *entry; /* NULL for WHY_UNSIGNED, _KIND, _UNKNOWN */
} Verdict;

typedef struct {
  const VtreeTrust *trust;
  const char *ref;
  const void *message;
  size_t size;
} Question;

size_t
vtree_trust_count (const VtreeTrust *trust)
{
  return trust->entries->len;
}

static const VtreeTrustEntry *
entry_at (const VtreeTrust *trust, size_t index)
{
  return g_ptr_array_index (trust->entries, index);
}

const VtreeTrustKey *
vtree_trust_peek (const VtreeTrust *trust, size_t index)
{
  return &entry_at (trust, index)->key;
}

bool
vtree_trust_key_covers (const VtreeTrustKey *key, const char *ref)
{
  size_t length = strlen (key->prefix);
  if (length == 0)
    return true;
  return strncmp (ref, key->prefix, length) == 0
         && (ref[length] == '\0' || ref[length] == '/');
}

/* The one place where a signature is found good. Only what ENTRY holds is asked: what
 * comes along in LINE vouches for nothing. */
static bool
verify (const Question *question, const VtreeTrustEntry *entry,
        const VtreeSignatureLine *line, GError **error)
{
  if (entry->anchor.certificate != NULL)
    return vtree_pkcs7_verify (entry->anchor.certificate,
                               (VtreeSpan){ question->message, question->size },
                               (VtreeSpan){ line->value, line->size }, error);
  if (entry->anchor.public != NULL && line->size == VTREE_SIGNATURE_SIZE
      && vtree_public_key_verify (entry->anchor.public, question->message,
                                  question->size, line->value))
    return true;
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED, "it is not over these bytes");
}

/* Whether LINE is of the kind that ENTRY makes. A revocation by an id alone is of no
 * kind, and stands for both. */
static bool
is_about (const VtreeTrustEntry *entry, const VtreeSignatureLine *line)
{
  return vtree_key_id_equal (&entry->key.id, &line->id)
         && (entry->key.kind == NULL || strcmp (entry->key.kind, line->kind) == 0);
}

static Why
judge_entry (const Question *question, const VtreeTrustEntry *entry,
             const VtreeSignatureLine *line)
{
  if (entry->key.revoked)
    return WHY_REVOKED;
  if (!vtree_trust_key_covers (&entry->key, question->ref))
    return WHY_PREFIX;
  return verify (question, entry, line, NULL) ? WHY_NOT : WHY_MISMATCH;
}

static Verdict
judge_line (const Question *question, const VtreeSignatureLine *line)
{
  Verdict verdict = { .why = WHY_KIND, .line = line };
  if (line->value == NULL)
    return verdict;
  verdict.why = WHY_UNKNOWN;
  for (size_t i = 0; i < question->trust->entries->len; i++) {
    const VtreeTrustEntry *entry = entry_at (question->trust, i);
    if (!is_about (entry, line))
      continue;
    Why why = judge_entry (question, entry, line);
    if (why > verdict.why)
      verdict = (Verdict){ .why = why, .line = line, .entry = entry };
  }
  return verdict;
}

static bool
is_certificate (const VtreeSignatureLine *line)
{
  return strcmp (line->kind, VTREE_SIGNATURE_PKCS7) == 0;
}

/* "key ID" or "certificate ID". */
static char *
describe_signer (const VtreeSignatureLine *line)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  return g_strdup_printf ("%s %s", is_certificate (line) ? "certificate" : "key",
                          vtree_key_id_format (&line->id, id));
}

/* "name", or "name: subject". */
static char *
describe_entry (const VtreeTrustEntry *entry)
{
  g_autofree char *name = vtree_error_escape (entry->name, -1);
  if (entry->anchor.certificate == NULL)
    return g_steal_pointer (&name);
  return g_strdup_printf ("%s: %s", name,
                          vtree_certificate_subject (entry->anchor.certificate));
}

static bool
set_unknown_error (GError **error, const Question *question,
                   const VtreeSignatureLine *line)
{
  g_autofree char *signer = describe_signer (line);
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "'%s' is signed by %s, which is not trusted here; if you "
                          "trust its owner, run `vtree key trust FILE` with %s",
                          question->ref, signer,
                          is_certificate (line) ? "it" : "its public key");
}

static bool
set_mismatch_error (GError **error, const Question *question, const Verdict *verdict)
{
  g_autofree char *signer = describe_signer (verdict->line);
  g_autofree char *name = describe_entry (verdict->entry);
  g_autoptr (GError) cause = NULL;
  if (!is_certificate (verdict->line))
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s': the signature by %s ('%s') is not over this "
                            "statement; one of the two was altered, fetch both again",
                            question->ref, signer, name);
  /* Asked again, for the reason. */
  bool good = verify (question, verdict->entry, verdict->line, &cause);
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "'%s': the signature by %s ('%s') does not count: %s",
                          question->ref, signer, name, good ? "" : cause->message);
}

static bool
set_entry_error (GError **error, const Question *question, const Verdict *verdict)
{
  const VtreeTrustKey *key = &verdict->entry->key;
  if (verdict->why == WHY_MISMATCH)
    return set_mismatch_error (error, question, verdict);
  g_autofree char *signer = describe_signer (verdict->line);
  g_autofree char *name = describe_entry (verdict->entry);
  g_autofree char *place
    = vtree_error_escape (key->revoked ? key->revoked_by : key->prefix, -1);
  if (verdict->why == WHY_REVOKED)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s' is signed by %s, which is revoked (%s); ask for "
                            "a release that another key signed",
                            question->ref, signer, place);
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "'%s' is signed by %s ('%s'), which may sign only refs "
                          "under '%s'; `vtree key trust --ref=PREFIX FILE` allows "
                          "it more",
                          question->ref, signer, name, place);
}

static bool
set_verdict_error (GError **error, const Question *question, const Verdict *verdict)
{
  if (verdict->why == WHY_UNSIGNED)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s' is not signed; its publisher has to run "
                            "`vtree sign`",
                            question->ref);
  if (verdict->why == WHY_KIND)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s' has only signatures of kinds that this vtree can't "
                            "check; an ed25519 or pkcs7 one is needed",
                            question->ref);
  if (verdict->entry == NULL)
    return set_unknown_error (error, question, verdict->line);
  return set_entry_error (error, question, verdict);
}

bool
vtree_trust_verify (const VtreeTrust *trust, const char *ref, const void *message,
                    size_t size, const VtreeSignatures *signatures,
                    const VtreeTrustKey **key, GError **error)
{
  Question question = { trust, ref, message, size };
  Verdict worst = { .why = WHY_UNSIGNED };
  for (size_t i = 0; i < vtree_signatures_count (signatures); i++) {
    Verdict verdict = judge_line (&question, vtree_signatures_peek (signatures, i));
    if (verdict.why == WHY_NOT) {
      *key = &verdict.entry->key;
      return true;
    }
    if (verdict.why > worst.why)
      worst = verdict;
  }
  return set_verdict_error (error, &question, &worst);
}
