/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing one JSON document (RFC 8259), compact, one line.
 *
 * JSON has no bytes. A text that is not UTF-8 (a file name, a link's target) is written
 * twice: as KEY with U+FFFD for each bad byte, and as KEY_bytes, the exact bytes in
 * base64. Whoever finds KEY_bytes uses that one; it is there only when it is needed.
 * 64-bit integers are written in full.
 *
 *   g_autoptr (VtreeJson) json = vtree_json_new (stdout);
 *   vtree_json_begin_answer (json);            {"schema": 1
 *   vtree_json_add_string (json, "name", name);
 *   vtree_json_end_object (json);              ends the document with a newline
 *
 * KEY is NULL in arrays and for the whole document. Nothing fails: FILE remembers.
 * FILE gets the document when it has been ended, so that of an answer which an error
 * cuts short nothing is seen; only one of more than 16 MiB goes out in parts.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct VtreeJson VtreeJson;

/* FILE is borrowed. */
VtreeJson *vtree_json_new (FILE *file);
/* Without an end of every object and array, what is held is dropped: an error stopped
 * the work. */
void vtree_json_free (VtreeJson *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtreeJson, vtree_json_free)

/* KEY: { … } and KEY: [ … ]; what is added in between is in it. */
void vtree_json_begin_object (VtreeJson *json, const char *key);
void vtree_json_end_object (VtreeJson *json);
void vtree_json_begin_array (VtreeJson *json, const char *key);
void vtree_json_end_array (VtreeJson *json);
/* The object that every verb's answer is, with its "schema": 1; to be ended. */
void vtree_json_begin_answer (VtreeJson *json);

/* TEXT NULL writes null. */
void vtree_json_add_string (VtreeJson *json, const char *key, const char *text);
/* LENGTH bytes of TEXT; in an object only, for the sake of KEY_bytes. */
void vtree_json_add_bytes (VtreeJson *json, const char *key, const char *text,
                           size_t length);
/* Exact bytes, always in base64, as KEY. */
void vtree_json_add_base64 (VtreeJson *json, const char *key, const void *data,
                            size_t size);
void vtree_json_add_int (VtreeJson *json, const char *key, int64_t value);
void vtree_json_add_uint (VtreeJson *json, const char *key, uint64_t value);
void vtree_json_add_bool (VtreeJson *json, const char *key, bool value);
void vtree_json_add_null (VtreeJson *json, const char *key);
