/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is this file what was sealed? The order: a trusted signature over the seal, then its
 * sense, its name, its version against the mark, then mode, size and contents; only a
 * file that stands all of it raises its mark.
 */
#pragma once

#include "manifest/file-seal-log.h"
#include "manifest/file-seal-store.h"

/* The worse ones have the greater number. */
typedef enum {
  VTREE_FILE_SEAL_SEALED = 0,
  VTREE_FILE_SEAL_FAILED,    /* it could not be found out */
  VTREE_FILE_SEAL_UNSEALED,  /* a file without a seal */
  VTREE_FILE_SEAL_MISSING,   /* no file */
  VTREE_FILE_SEAL_UNTRUSTED, /* no good signature, or one for another file */
  VTREE_FILE_SEAL_OLDER,     /* than what was accepted before */
  VTREE_FILE_SEAL_ALTERED,   /* not what was sealed */
} VtreeFileSealVerdict;

/* "sealed", "failed", "unsealed", "missing", "untrusted", "older", "altered". */
const char *vtree_file_seal_verdict_name (VtreeFileSealVerdict verdict);
/* The exit code: 0, 1, 7, 7, 3, 4, 6. */
int vtree_file_seal_verdict_exit (VtreeFileSealVerdict verdict);

typedef struct {
  const VtreePaths *paths;
  const VtreeTrust *trust;
  const char *name; /* the one that a seal must have; NULL: the log's, else the place */
  VtreeFileSealProgress progress;
} VtreeFileSealChecker;

typedef struct {
  VtreeFileSealVerdict verdict;
  char *place;
  char *reason;        /* for a person; NULL if it is sealed */
  VtreeFileSeal *seal; /* NULL where no trusted signature is over one */
  VtreeKeyId key;      /* the signer's, with a seal */
  char *key_name;
  VtreeFileSealWhere where;
  bool logged;   /* it is in the log of what this user has sealed */
  bool known;    /* without a seal now, and one of its name was accepted before */
  bool enforced; /* by the kernel: it stays so until the file is replaced */
} VtreeFileSealAnswer;

/* Frees what ANSWER holds; a zeroed one is fine. */
void vtree_file_seal_answer_clear (VtreeFileSealAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeFileSealAnswer, vtree_file_seal_answer_clear)

/* Judges FILE. ANSWER is zeroed before. Nothing is an error: see the verdict. */
void vtree_file_seal_check (const VtreeFileSealChecker *checker, const char *file,
                            VtreeFileSealAnswer *answer);
