/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the decision whether a signature counts. Finding the keys is trust-load.c's;
 * what the signed bytes say is not looked at here.
 */
#include "core/trust.h"

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
  VtreeKeyId id;
  const VtreeTrustKey *key; /* NULL for WHY_UNSIGNED, _KIND, _UNKNOWN */
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

static Why
judge_entry (const Question *question, const VtreeTrustEntry *entry,
             const VtreeSignatureLine *line)
{
  if (entry->key.revoked)
    return WHY_REVOKED;
  if (!vtree_trust_key_covers (&entry->key, question->ref))
    return WHY_PREFIX;
  return vtree_public_key_verify (entry->public, question->message, question->size,
                                  line->value)
           ? WHY_NOT
           : WHY_MISMATCH;
}

static Verdict
judge_line (const Question *question, const VtreeSignatureLine *line)
{
  Verdict verdict = { .why = WHY_KIND };
  if (strcmp (line->kind, "ed25519") != 0)
    return verdict;
  verdict = (Verdict){ .why = WHY_UNKNOWN, .id = line->id };
  for (size_t i = 0; i < question->trust->entries->len; i++) {
    const VtreeTrustEntry *entry = entry_at (question->trust, i);
    if (!vtree_key_id_equal (&entry->key.id, &line->id))
      continue;
    Why why = judge_entry (question, entry, line);
    if (why > verdict.why)
      verdict = (Verdict){ .why = why, .id = line->id, .key = &entry->key };
  }
  return verdict;
}

static bool
set_key_error (GError **error, const Question *question, const Verdict *verdict)
{
  char id[VTREE_KEY_ID_TEXT_MAX];
  vtree_key_id_format (&verdict->id, id);
  const VtreeTrustKey *key = verdict->key;
  if (key == NULL)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s' is signed by key %s, which is not trusted here; if "
                            "you trust its owner, run `vtree key trust FILE` with its "
                            "public key",
                            question->ref, id);
  g_autofree char *name = vtree_error_escape (key->name, -1);
  g_autofree char *place
    = vtree_error_escape (key->revoked ? key->revoked_by : key->prefix, -1);
  if (verdict->why == WHY_REVOKED)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s' is signed by key %s, which is revoked (%s); ask for "
                            "a release that another key signed",
                            question->ref, id, place);
  if (verdict->why == WHY_PREFIX)
    return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                            "'%s' is signed by key %s ('%s'), which may sign only refs "
                            "under '%s'; `vtree key trust --ref=PREFIX FILE` allows "
                            "it more",
                            question->ref, id, name, place);
  return vtree_error_set (error, VTREE_ERROR_UNTRUSTED,
                          "'%s': the signature by key %s ('%s') is not over this "
                          "statement; one of the two was altered, fetch both again",
                          question->ref, id, name);
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
                            "check; an ed25519 one is needed",
                            question->ref);
  return set_key_error (error, question, verdict);
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
      *key = verdict.key;
      return true;
    }
    if (verdict.why > worst.why)
      worst = verdict;
  }
  return set_verdict_error (error, &question, &worst);
}
