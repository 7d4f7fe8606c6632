/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The builder's tree from inside: for builder.c, which fills it, and serialize.c, which
 * numbers it and writes it. All of it lies in the builder's arena.
 */
#pragma once

#include "manifest/arena.h"
#include "manifest/builder.h"

typedef struct VtreeNodeXattr VtreeNodeXattr;
typedef struct VtreeNodeEntry VtreeNodeEntry;
typedef struct VtreeNodeDirectory VtreeNodeDirectory;

struct VtreeNodeXattr {
  VtreeNodeXattr *next;
  uint32_t value_size;
  uint8_t name_size;
  uint8_t bytes[]; /* name, value */
};

struct VtreeNodeEntry {
  VtreeNodeEntry *next;
  VtreeNode *node;
  uint8_t name_size;
  uint8_t name[];
};

/* What all types have in common; the mode says which struct it really is. */
struct VtreeNode {
  int64_t mtime;
  uint32_t nsec, mode, uid, gid;
  uint32_t number; /* 0 (also the root's) outside of _finish */
  uint32_t names;  /* how many entries name it */
  VtreeNodeXattr *xattrs;
};

struct VtreeNodeDirectory {
  VtreeNode node;
  VtreeNodeEntry *entries;    /* in any order */
  VtreeNodeDirectory *parent; /* NULL: the root */
  VtreeNodeEntry *entry;      /* that names it; NULL: the root */
  uint32_t count, subdirectories;
};

typedef struct {
  VtreeNode node;
  uint64_t size;
  VtreeDigestAlg alg;
  bool invalid; /* what was set can't be contents */
  uint8_t digest[];
} VtreeNodeRegular;

typedef struct {
  VtreeNode node;
  VtreeBuilder *builder;
  const uint8_t *target; /* NULL until set */
  uint16_t target_size;
} VtreeNodeSymlink;

typedef struct {
  VtreeNode node;
  uint32_t rdev;
} VtreeNodeDevice;

struct VtreeBuilder {
  VtreeDigestAlg alg;
  VtreeArena *arena;
  VtreeNodeDirectory *root;
  uint64_t inodes, directories, entries;
};

/* The path of ENTRY in DIRECTORY, escaped, for messages. */
char *vtree_tree_path (const VtreeNodeDirectory *directory,
                       const VtreeNodeEntry *entry);
