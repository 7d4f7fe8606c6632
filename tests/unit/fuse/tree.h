/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small tree over a real repository, for the tests of fs and cache:
 *
 *   /             0755 1000:1001
 *   /chr /fifo /sock      12:20 bits of rdev; 0600
 *   /data /link   2 names of one file of TEST_DATA_SIZE bytes, mtime -1.5 s
 *   /dir/         TEST_FILES files fNNN, 100 bytes of the letter 'a' + NNN % 26
 *   /empty
 *   /large        TEST_LARGE_SIZE bytes: with a Merkle file
 *   /sym          -> data
 *   /xattr        user.a=1, user.b=22, user.vtree.digest=lie
 */
#pragma once

#include "fuse/fs.h"

#define TEST_FILES 100
#define TEST_DATA_SIZE 10000
#define TEST_LARGE_SIZE (200 * 4096 + 17)
#define TEST_RDEV ((0xabcu << 8) | 0x12u | (0xdef34u & 0xfff00u) << 12)

typedef struct {
  char *path; /* of the repository */
  char *log_path;
  VtreeRepo *repo;
  VtreeStore *store;
  VtreeView *view;
  VtreeLog *log;
} TestTree;

/* What its files contain. */
uint8_t test_tree_byte (size_t offset);
void test_tree_init (TestTree *tree);
void test_tree_clear (TestTree *tree);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TestTree, test_tree_clear)

/* The file of /NAME's object. */
char *test_tree_object_path (const TestTree *tree, const char *name);
/* What has been logged. */
char *test_tree_read_log (const TestTree *tree);
/* Inode of a path. */
VtreeInode test_tree_inode (const TestTree *tree, const char *path);
