/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whose fault it is that a step on an object's file failed.
 */
#pragma once

#include "core/error.h"

/* Whether ERROR, of opening, measuring or reading an object's file, says something of
 * the file: then the object is bad, and another file may take its place. False where it
 * says something of this process or of the moment (ENOMEM, EMFILE, …). */
bool vtree_object_fault (const GError *error);
