/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/policy.h"
#include "tests/lib/test.h"

static const struct {
  const char *word;
  VtreeVerityPolicy policy;
} words[] = {
  { "auto", VTREE_VERITY_AUTO },
  { "require", VTREE_VERITY_REQUIRE },
  { "off", VTREE_VERITY_OFF },
};

static void
test_words (void)
{
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++) {
    VtreeVerityPolicy policy;
    g_assert_true (vtree_verity_policy_parse (words[i].word, &policy));
    g_assert_cmpint (policy, ==, words[i].policy);
    g_assert_cmpstr (vtree_verity_policy_name (policy), ==, words[i].word);
  }
}

static void
test_other_words (void)
{
  const char *const others[] = { "", "Auto", "auto ", "on", "of" };
  for (size_t i = 0; i < G_N_ELEMENTS (others); i++) {
    VtreeVerityPolicy policy = VTREE_VERITY_REQUIRE;
    g_assert_false (vtree_verity_policy_parse (others[i], &policy));
    g_assert_cmpint (policy, ==, VTREE_VERITY_REQUIRE);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/core/policy/words", test_words);
  g_test_add_func ("/core/policy/other-words", test_other_words);
  return vtree_test_run ();
}
