/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of the family "key" share. */
#pragma once

#include "cli/json.h"
#include "cli/keyring.h"

/* Reads the key or certificate in FILE ("-": standard input) into the empty ANCHOR.
 * Errors: vtree_keyring_read()'s, VTREE_ERROR_INVALID. */
bool vtree_key_load_anchor (const char *file, VtreeAnchor *anchor, GError **error);

/* Members "subject", "issuer", "algorithm", "not_before" and "not_after": null for a
 * key, for which CERTIFICATE is NULL. */
void vtree_key_add_certificate_json (const VtreeCertificate *certificate,
                                     VtreeJson *json);
