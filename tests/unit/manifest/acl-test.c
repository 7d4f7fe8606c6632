/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/acl.h"
#include "tests/lib/test.h"

#include <linux/posix_acl.h>
#include <string.h>

#define NONE UINT32_MAX

typedef struct {
  unsigned tag, permissions;
  uint32_t id;
} Entry;

#define ENTRIES_MAX 8

typedef struct {
  const char *name;
  Entry entries[ENTRIES_MAX]; /* to the first with tag 0 */
  const char *fault;          /* part of the message; NULL: good */
} CheckRow;

#define U(p)                                                                           \
  {                                                                                    \
    ACL_USER_OBJ, p, NONE                                                              \
  }
#define NU(p, id)                                                                      \
  {                                                                                    \
    ACL_USER, p, id                                                                    \
  }
#define G(p)                                                                           \
  {                                                                                    \
    ACL_GROUP_OBJ, p, NONE                                                             \
  }
#define NG(p, id)                                                                      \
  {                                                                                    \
    ACL_GROUP, p, id                                                                   \
  }
#define M(p)                                                                           \
  {                                                                                    \
    ACL_MASK, p, NONE                                                                  \
  }
#define O(p)                                                                           \
  {                                                                                    \
    ACL_OTHER, p, NONE                                                                 \
  }

static const CheckRow check_rows[] = {
  { "minimal", { U (7), G (5), O (0) }, NULL },
  { "named", { U (7), NU (4, 10), NU (6, 11), G (5), NG (1, 9), M (7), O (0) }, NULL },
  { "no-owner", { G (5), O (0) }, "is missing" },
  { "no-group", { U (5), O (0) }, "is missing" },
  { "no-other", { U (5), G (0) }, "is missing" },
  { "named-without-mask", { U (7), NU (4, 10), G (5), O (0) }, "is missing" },
  { "twice", { U (7), U (7), G (5), O (0) }, "out of order" },
  { "named-too-late", { U (7), G (5), NU (4, 1), M (7), O (0) }, "out of order" },
  { "owner-with-id", { { ACL_USER_OBJ, 7, 3 }, G (5), O (0) }, "has an id" },
  { "named-without-id", { U (7), NU (4, NONE), G (5), M (7), O (0) }, "has no id" },
  { "unknown-tag", { U (7), { 0x40, 7, NONE }, G (5), O (0) }, "tag is unknown" },
  { "unknown-permission", { U (15), G (5), O (0) }, "permission is unknown" },
};

static GByteArray *
make_acl (const Entry *entries)
{
  GByteArray *acl = g_byte_array_new ();
  uint8_t bytes[8];
  vtree_bytes_put_u32 (bytes, 2);
  g_byte_array_append (acl, bytes, 4);
  for (size_t i = 0; i < ENTRIES_MAX && entries[i].tag != 0; i++) {
    vtree_bytes_put_u16 (bytes, (uint16_t) entries[i].tag);
    vtree_bytes_put_u16 (bytes + 2, (uint16_t) entries[i].permissions);
    vtree_bytes_put_u32 (bytes + 4, entries[i].id);
    g_byte_array_append (acl, bytes, sizeof bytes);
  }
  return acl;
}

static VtreeSpan
span_of (const GByteArray *bytes)
{
  return (VtreeSpan){ bytes->data, bytes->len };
}

static void
test_check (gconstpointer data)
{
  const CheckRow *row = data;
  g_autoptr (GByteArray) acl = make_acl (row->entries);
  g_autoptr (GError) error = NULL;
  bool good = vtree_acl_check (span_of (acl), &error);
  g_assert_cmpint (good, ==, row->fault == NULL);
  if (row->fault != NULL)
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, row->fault);
}

static void
test_check_header (void)
{
  g_autoptr (GByteArray) acl = make_acl (check_rows[0].entries);
  for (size_t size = 0; size < acl->len; size++)
    g_assert_false (vtree_acl_check ((VtreeSpan){ acl->data, size }, NULL));
  acl->data[0] = 1;
  g_autoptr (GError) error = NULL;
  g_assert_false (vtree_acl_check (span_of (acl), &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "version 1");
}

typedef struct {
  const char *name;
  Entry entries[ENTRIES_MAX];
  unsigned mode;
} AccessRow;

static const AccessRow access_rows[] = {
  { "minimal", { U (6), G (4), O (0) }, 0640 },
  { "owner-and-named-user", { U (6), NU (4, 10), G (4), M (7), O (0) }, 0440 },
  { "named-user-under-the-mask", { U (7), NU (7, 10), G (4), M (5), O (0) }, 0540 },
  { "two-named-users", { U (7), NU (6, 1), NU (3, 2), G (0), M (7), O (0) }, 0200 },
  { "group-under-the-mask", { U (7), G (7), M (4), O (0) }, 0740 },
  { "named-groups", { U (7), G (7), NG (6, 1), NG (5, 2), M (7), O (4) }, 0744 },
  { "others-stay", { U (0), G (0), O (7) }, 0007 },
};

static void
test_map_access (gconstpointer data)
{
  const AccessRow *row = data;
  g_autoptr (GByteArray) acl = make_acl (row->entries);
  g_assert_true (vtree_acl_check (span_of (acl), NULL));
  g_assert_cmpuint (vtree_acl_map_access (span_of (acl)), ==, row->mode);
}

typedef struct {
  const char *name;
  Entry entries[ENTRIES_MAX];
  Entry expected[ENTRIES_MAX];
} DefaultRow;

static const DefaultRow default_rows[] = {
  { "minimal", { U (6), G (4), O (0) }, { U (6), G (4), O (0) } },
  { "one-of-each",
    { U (7), NU (6, 10), G (5), NG (4, 20), M (7), O (1) },
    { U (7), NU (6, 500), G (5), NG (4, 600), M (7), O (1) } },
  { "merged",
    { U (7), NU (6, 10), NU (3, 11), G (5), NG (4, 20), NG (6, 2), M (7), O (0) },
    { U (7), NU (2, 500), G (5), NG (4, 600), M (7), O (0) } },
};

static void
test_map_default (gconstpointer data)
{
  const DefaultRow *row = data;
  g_autoptr (GByteArray) acl = make_acl (row->entries);
  g_autoptr (GByteArray) expected = make_acl (row->expected);
  g_assert_true (vtree_acl_check (span_of (acl), NULL));
  g_autoptr (GByteArray) mapped = vtree_acl_map_default (span_of (acl), 500, 600);
  g_assert_cmpuint (mapped->len, ==, expected->len);
  g_assert_cmpint (memcmp (mapped->data, expected->data, mapped->len), ==, 0);
  g_assert_true (vtree_acl_check (span_of (mapped), NULL));
}

static void
test_names (void)
{
  g_assert_true (vtree_acl_is_name ("system.posix_acl_access"));
  g_assert_true (vtree_acl_is_name ("system.posix_acl_default"));
  g_assert_false (vtree_acl_is_name ("system.posix_acl"));
}

static void
add_row (const char *group, const char *name, gconstpointer row, GTestDataFunc test)
{
  g_autofree char *path = g_strconcat ("/manifest/acl/", group, "/", name, NULL);
  g_test_add_data_func (path, row, test);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (check_rows); i++)
    add_row ("check", check_rows[i].name, &check_rows[i], test_check);
  for (size_t i = 0; i < G_N_ELEMENTS (access_rows); i++)
    add_row ("access", access_rows[i].name, &access_rows[i], test_map_access);
  for (size_t i = 0; i < G_N_ELEMENTS (default_rows); i++)
    add_row ("default", default_rows[i].name, &default_rows[i], test_map_default);
  g_test_add_func ("/manifest/acl/check-header", test_check_header);
  g_test_add_func ("/manifest/acl/names", test_names);
  return vtree_test_run ();
}
