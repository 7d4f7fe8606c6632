/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A manifest without its padding, as a fuzzer likes it: short, every byte of meaning.
 * The header up to the end of its table, then the sections one after the other.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Packs a manifest that opens. */
GBytes *vtree_fuzz_pack (GBytes *manifest);

/* The reverse, for any bytes: sections are as long as the table says, as far as there
 * are bytes; offsets and sizes in the header are made to fit. */
GBytes *vtree_fuzz_unpack (const uint8_t *data, size_t size);
