/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A private key and its self-signed certificate, made by the openssl command.
 */
#pragma once

#include "tests/lib/test.h"

typedef struct {
  char *key; /* paths of PEM files */
  char *cert;
} Certificate;

#define CERTIFICATE_INIT                                                               \
  {                                                                                    \
    NULL, NULL                                                                         \
  }

/* Makes it, RSA. False, and the test is skipped, without the command. */
bool certificate_make (Certificate *certificate);
void certificate_clear (Certificate *certificate);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Certificate, certificate_clear)

/* Runs a command, which has to succeed. */
void certificate_run (const char *const *argv);
