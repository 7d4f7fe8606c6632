/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pack where the kernel enforces fs-verity: a fake one. It knows nothing of bytes
 * that change, which shows what is computed when.
 */
#include "tests/unit/core/fake-kernel.h"
#include "tests/unit/core/pack-fixture.h"
#include "tests/unit/core/repo-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define COUNT 130 /* more than two words of bits */

static void
seal (const PackFixture *fixture)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (g_chmod (fixture->path, 0600), ==, 0);
  g_auto (VtreeFd) fd = g_open (fixture->path, O_RDONLY | O_CLOEXEC, 0);
  vtree_kernel_enable (fd, VTREE_DIGEST_SHA256, &error);
  g_assert_no_error (error);
}

static void
make (PackFixture *fixture, bool sealed)
{
  fake_kernel_begin ();
  pack_fixture_init (fixture, VTREE_DIGEST_SHA256);
  pack_fixture_add_many (fixture, 1, COUNT);
  pack_fixture_write (fixture, NULL);
  if (sealed)
    seal (fixture);
}

static bool
read_entry (VtreePack *pack, uint64_t index, VtreeVerityPolicy policy, GError **error)
{
  VtreePackEntry entry;
  uint8_t data[VTREE_PACK_OBJECT_MAX];
  g_assert_true (vtree_pack_entry (pack, index, &entry, error));
  return vtree_pack_read (pack, index, &entry, policy, data, error);
}

static void
read_well (VtreePack *pack, uint64_t index, VtreeVerityPolicy policy)
{
  g_autoptr (GError) error = NULL;
  read_entry (pack, index, policy, &error);
  g_assert_no_error (error);
}

static void
read_badly (VtreePack *pack, uint64_t index, VtreeVerityPolicy policy, int code)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (read_entry (pack, index, policy, &error));
  vtree_test_assert_error (error, VTREE_ERROR, code, "pack sha256:");
}

static void
flip (const PackFixture *fixture, const VtreePack *pack, uint64_t index)
{
  VtreePackEntry entry;
  g_assert_true (vtree_pack_entry (pack, index, &entry, NULL));
  repo_fixture_flip (fixture->path, (size_t) entry.offset);
}

/* Nothing of what one object has proved is another's, nor another opening's. */
static void
test_proved_once (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, true);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_true (vtree_pack_is_enforced (pack));
  static const uint64_t indices[] = { 0, 1, 62, 63, 64, 65, 127, 128, COUNT - 1 };
  for (size_t i = 0; i < G_N_ELEMENTS (indices); i += 2) {
    read_well (pack, indices[i], VTREE_VERITY_AUTO);
    flip (&fixture, pack, indices[i]);
    read_well (pack, indices[i], VTREE_VERITY_AUTO);
    read_well (pack, indices[i], VTREE_VERITY_REQUIRE);
  }
  for (size_t i = 1; i < G_N_ELEMENTS (indices); i += 2) {
    flip (&fixture, pack, indices[i]);
    read_badly (pack, indices[i], VTREE_VERITY_AUTO, VTREE_ERROR_CORRUPT);
    flip (&fixture, pack, indices[i]);
    read_well (pack, indices[i], VTREE_VERITY_AUTO);
  }
  g_autoptr (VtreePack) again = pack_fixture_open (&fixture);
  read_badly (again, 0, VTREE_VERITY_AUTO, VTREE_ERROR_CORRUPT);
}

/* What was read without verification has proved nothing. */
static void
test_off_proves_nothing (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, true);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  read_well (pack, 5, VTREE_VERITY_OFF);
  flip (&fixture, pack, 5);
  read_well (pack, 5, VTREE_VERITY_OFF);
  read_badly (pack, 5, VTREE_VERITY_AUTO, VTREE_ERROR_CORRUPT);
  read_badly (pack, 5, VTREE_VERITY_REQUIRE, VTREE_ERROR_CORRUPT);
}

static void
test_not_enforced (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, false);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_false (vtree_pack_is_enforced (pack));
  read_well (pack, 5, VTREE_VERITY_AUTO);
  flip (&fixture, pack, 5);
  read_badly (pack, 5, VTREE_VERITY_AUTO, VTREE_ERROR_CORRUPT);
  read_badly (pack, 6, VTREE_VERITY_REQUIRE, VTREE_ERROR_UNSUPPORTED);
}

/* The kernel enforces something else than what the name says. */
static void
test_other_measurement (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, true);
  fake_kernel_spoil (fixture.path);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  g_assert_false (vtree_pack_is_enforced (pack));
  read_well (pack, 5, VTREE_VERITY_AUTO);
  read_badly (pack, 5, VTREE_VERITY_REQUIRE, VTREE_ERROR_UNSUPPORTED);
  flip (&fixture, pack, 5);
  read_badly (pack, 5, VTREE_VERITY_AUTO, VTREE_ERROR_CORRUPT);
}

/* Measured once, when it is opened. */
static void
test_measured_once (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, true);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  for (uint64_t i = 0; i < COUNT; i++)
    read_well (pack, i, VTREE_VERITY_REQUIRE);
  g_assert_cmpuint (fake_kernel.measured, ==, 1);
}

/* What it proved before counts for nothing: it could be written to then. */
static void
test_sealed_later (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, false);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  read_well (pack, 5, VTREE_VERITY_AUTO);
  read_badly (pack, 5, VTREE_VERITY_REQUIRE, VTREE_ERROR_UNSUPPORTED);
  seal (&fixture);
  flip (&fixture, pack, 5);
  read_badly (pack, 5, VTREE_VERITY_REQUIRE, VTREE_ERROR_CORRUPT);
  flip (&fixture, pack, 5);
  read_well (pack, 5, VTREE_VERITY_REQUIRE);
  g_assert_true (vtree_pack_is_enforced (pack));
  flip (&fixture, pack, 5);
  read_well (pack, 5, VTREE_VERITY_REQUIRE);
}

/* …and is something else than its name says. */
static void
test_sealed_later_otherwise (void)
{
  g_auto (PackFixture) fixture = { 0 };
  make (&fixture, false);
  g_autoptr (VtreePack) pack = pack_fixture_open (&fixture);
  seal (&fixture);
  fake_kernel_spoil (fixture.path);
  read_badly (pack, 5, VTREE_VERITY_REQUIRE, VTREE_ERROR_UNSUPPORTED);
  g_assert_false (vtree_pack_is_enforced (pack));
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/pack-kernel/proved-once", test_proved_once);
  g_test_add_func ("/core/pack-kernel/off-proves-nothing", test_off_proves_nothing);
  g_test_add_func ("/core/pack-kernel/not-enforced", test_not_enforced);
  g_test_add_func ("/core/pack-kernel/other-measurement", test_other_measurement);
  g_test_add_func ("/core/pack-kernel/measured-once", test_measured_once);
  g_test_add_func ("/core/pack-kernel/sealed-later", test_sealed_later);
  g_test_add_func ("/core/pack-kernel/sealed-later-otherwise",
                   test_sealed_later_otherwise);
  int status = vtree_test_run ();
  fake_kernel_end ();
  return status;
}
