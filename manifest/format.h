/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The constants of the manifest format (.vtm), version 1. The format byte by byte is in
 * doc/formats.md; nothing outside manifest/ uses this header.
 */
#pragma once

#include <stdint.h>

/* Header: the first 4096 bytes. All integers little-endian, reserved bytes zero. */
#define VTREE_VTM_MAGIC "VTREEMF\n"
#define VTREE_VTM_MAGIC_SIZE 8
#define VTREE_VTM_VERSION 1
#define VTREE_VTM_HEADER_SIZE 4096
#define VTREE_VTM_ALIGN 4096

/* Offsets in the header. */
#define VTREE_VTM_H_MAGIC 0
#define VTREE_VTM_H_VERSION 8        /* u32 */
#define VTREE_VTM_H_SECTION_COUNT 12 /* u32, 7; more only with a compat bit */
#define VTREE_VTM_H_INCOMPAT 16      /* u64, unknown bits: refuse */
#define VTREE_VTM_H_COMPAT 24        /* u64, unknown bits: ignore */
#define VTREE_VTM_H_FLAGS 32         /* u64, VTREE_VTM_HAS_* */
#define VTREE_VTM_H_DIGEST_ALG 40    /* u32 */
#define VTREE_VTM_H_RESERVED 44      /* u32, 0 */
#define VTREE_VTM_H_FILE_SIZE 48     /* u64, of the whole manifest */
#define VTREE_VTM_H_DIRECTORIES 56   /* u64 totals, by inode */
#define VTREE_VTM_H_REGULAR 64
#define VTREE_VTM_H_SYMLINKS 72
#define VTREE_VTM_H_SPECIAL 80   /* devices, fifos, sockets */
#define VTREE_VTM_H_BYTES 88     /* sum of the sizes of regular files, per inode */
#define VTREE_VTM_H_BLOCKS 96    /* sum of ceil (size / 4096), per inode */
#define VTREE_VTM_H_END 104      /* zeros from here to the section table */
#define VTREE_VTM_H_SECTIONS 256 /* section table */

/* What the tree contains; an entry that contradicts its header is EIO. */
#define VTREE_VTM_HAS_XATTR (UINT64_C (1) << 0) /* any xattr, ACLs included */
#define VTREE_VTM_HAS_ACL (UINT64_C (1) << 1)
#define VTREE_VTM_HAS_DEVICE (UINT64_C (1) << 2)
#define VTREE_VTM_HAS_SETID (UINT64_C (1) << 3)
#define VTREE_VTM_FLAGS_ALL UINT64_C (15)

/* Section table entry: 32 bytes. Sections stand in the order of their ids, each
 * aligned, each followed by zeros up to the alignment, with no gap; an empty one has
 * the offset of the next. Ids above 7 are for later, optional sections, announced by a
 * feature bit: a compat one where a reader may pass over them, else incompat. */
#define VTREE_VTM_SECTION_SIZE 32
#define VTREE_VTM_S_ID 0          /* u32 */
#define VTREE_VTM_S_RECORD_SIZE 4 /* u32, 1 for heaps */
#define VTREE_VTM_S_OFFSET 8      /* u64 */
#define VTREE_VTM_S_COUNT 16      /* u64, records */
#define VTREE_VTM_S_RESERVED 24   /* u64, 0 */

enum {
  VTREE_VTM_INODES = 1,
  VTREE_VTM_DIRECTORIES = 2,
  VTREE_VTM_ENTRIES = 3,
  VTREE_VTM_NAMES = 4, /* heap: all names in entry order (u8 length, bytes), then all
                          symlink targets in inode order (u16 length, bytes) */
  VTREE_VTM_ATTRIBUTES = 5,
  VTREE_VTM_OBJECTS = 6,
  VTREE_VTM_XATTRS = 7, /* heap of xattr sets */
};
#define VTREE_VTM_SECTIONS_V1 7
/* what the header's block has room for */
#define VTREE_VTM_SECTIONS_MAX 120
/* records of a section, bytes of a heap */
#define VTREE_VTM_COUNT_MAX UINT32_MAX

/* Inode, 24 bytes, breadth-first, the root first. Node id = index + 1. */
#define VTREE_VTM_INODE_SIZE 24
#define VTREE_VTM_I_ATTRIBUTES 0 /* u32 index */
#define VTREE_VTM_I_NSEC 4       /* u32 < 10^9 */
#define VTREE_VTM_I_MTIME 8      /* s64 seconds */
#define VTREE_VTM_I_NLINK 16     /* u32 */
#define VTREE_VTM_I_CONTENT 20   /* u32, see below */
/* Content: a directory's index in DIRECTORIES; a regular file's object index + 1, 0
 * when empty; a symlink's offset in NAMES; a device's number (manifest/device.h); else
 * 0. */

/* Directory, 16 bytes, in the order of their inodes. */
#define VTREE_VTM_DIRECTORY_SIZE 16
#define VTREE_VTM_D_INODE 0  /* u32 its own inode */
#define VTREE_VTM_D_PARENT 4 /* u32 inode of the parent; the root's is itself */
#define VTREE_VTM_D_FIRST 8  /* u32 first entry */
#define VTREE_VTM_D_COUNT 12 /* u32 entries, contiguous, sorted by name */

/* Entry, 8 bytes. */
#define VTREE_VTM_ENTRY_SIZE 8
#define VTREE_VTM_E_NAME 0  /* u32 offset in NAMES */
#define VTREE_VTM_E_INODE 4 /* u32 */

/* Attributes shared by inodes, 16 bytes, unique, in the order of their first use. */
#define VTREE_VTM_ATTRIBUTES_SIZE 16
#define VTREE_VTM_A_MODE 0    /* u32 st_mode; a symlink's permissions are 0777 */
#define VTREE_VTM_A_UID 4     /* u32 */
#define VTREE_VTM_A_GID 8     /* u32 */
#define VTREE_VTM_A_XATTRS 12 /* u32: offset in XATTRS + 1, 0 for none */

/* Object: u64 size, then 32 or 64 bytes of digest; digests unique, in the order of
 * first use by inode number. Contents that are empty have no object. */
#define VTREE_VTM_O_SIZE 0
#define VTREE_VTM_O_DIGEST 8

/* xattr set in XATTRS: u16 count (> 0), then for each, sorted by name: u8 name length,
 * u32 value length, name, value. Unique, in the order of first use by attribute
 * record. */
#define VTREE_VTM_X_COUNT_SIZE 2
#define VTREE_VTM_X_NAME_LENGTH 0  /* u8 */
#define VTREE_VTM_X_VALUE_LENGTH 1 /* u32 */
#define VTREE_VTM_X_HEADER_SIZE 5
#define VTREE_VTM_XATTR_NAME_MAX 255
#define VTREE_VTM_XATTR_VALUE_MAX 65536
/* all names of a set, each with a NUL: the kernel's XATTR_LIST_MAX */
#define VTREE_VTM_XATTR_LIST_MAX 65536
/* bytes of a whole set: what the daemon has to look at for one request is bounded */
#define VTREE_VTM_XATTR_SET_MAX (1u << 20)

#define VTREE_VTM_NAME_MAX 255
#define VTREE_VTM_TARGET_MAX 4095
#define VTREE_VTM_NSEC_END UINT32_C (1000000000)
/* node ids are 32 bits and 0 is no node */
#define VTREE_VTM_INODES_MAX UINT32_C (0xfffffffe)
