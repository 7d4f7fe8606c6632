/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written as JSON, byte by byte; python3 reads it again as the oracle. */
#include "cli/json.h"
#include "tests/lib/test.h"

#include <stdlib.h>
#include <string.h>

typedef void (*Write) (VtreeJson *json);

/* What WRITE writes; to be freed with free(). */
static char *
text_of (Write write)
{
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream (&text, &size);
  VtreeJson *json = vtree_json_new (file);

  write (json);
  vtree_json_free (json);
  g_assert_cmpint (fclose (file), ==, 0);
  return text;
}

static void
check (Write write, const char *expected)
{
  char *text = text_of (write);

  g_assert_cmpstr (text, ==, expected);
  free (text);
}

static void
write_nested (VtreeJson *json)
{
  vtree_json_begin_object (json, NULL);
  vtree_json_add_int (json, "schema", 1);
  vtree_json_begin_array (json, "empty");
  vtree_json_end_array (json);
  vtree_json_begin_array (json, "list");
  vtree_json_add_int (json, NULL, -1);
  vtree_json_begin_object (json, NULL);
  vtree_json_add_bool (json, "yes", true);
  vtree_json_add_bool (json, "no", false);
  vtree_json_end_object (json);
  vtree_json_add_string (json, NULL, NULL);
  vtree_json_end_array (json);
  vtree_json_add_null (json, "nothing");
  vtree_json_end_object (json);
}

static void
test_nesting (void)
{
  check (write_nested, "{\"schema\":1,\"empty\":[],\"list\":[-1,{\"yes\":true,"
                       "\"no\":false},null],\"nothing\":null}\n");
}

static void
write_numbers (VtreeJson *json)
{
  vtree_json_begin_array (json, NULL);
  vtree_json_add_uint (json, NULL, UINT64_MAX);
  vtree_json_add_int (json, NULL, INT64_MIN);
  vtree_json_end_array (json);
}

static void
test_numbers (void)
{
  check (write_numbers, "[18446744073709551615,-9223372036854775808]\n");
}

static void
write_escapes (VtreeJson *json)
{
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "quotes", "\"\\/");
  vtree_json_add_string (json, "letters", "\b\f\n\r\t");
  vtree_json_add_string (json, "controls", "\x01\x1b[2J\x7f");
  vtree_json_add_string (json, "letters beyond ASCII", "\xc3\xa4\xe2\x82\xac");
  vtree_json_add_string (json, "C1 and bidi", "\xc2\x9b\xe2\x80\xae");
  vtree_json_add_string (json, "unassigned, astral", "\xf3\xa0\x80\x81");
  vtree_json_end_object (json);
}

static void
test_escapes (void)
{
  check (write_escapes, "{\"quotes\":\"\\\"\\\\/\",\"letters\":\"\\b\\f\\n\\r\\t\","
                        "\"controls\":\"\\u0001\\u001b[2J\\u007f\","
                        "\"letters beyond ASCII\":\"\xc3\xa4\xe2\x82\xac\","
                        "\"C1 and bidi\":\"\\u009b\\u202e\","
                        "\"unassigned, astral\":\"\\udb40\\udc01\"}\n");
}

static void
write_bytes (VtreeJson *json)
{
  vtree_json_begin_object (json, NULL);
  vtree_json_add_bytes (json, "path", "a\xff/b", 4);
  vtree_json_add_bytes (json, "nul", "a\0b", 3);
  vtree_json_add_bytes (json, "cut", "\xc3\xa4", 1);
  vtree_json_add_bytes (json, "good", "\xc3\xa4", 2);
  vtree_json_add_base64 (json, "value", "\0\1", 2);
  vtree_json_add_base64 (json, "empty", "", 0);
  vtree_json_end_object (json);
}

static void
test_bytes (void)
{
  check (write_bytes, "{\"path\":\"a\\ufffd/b\",\"path_bytes\":\"Yf8vYg==\","
                      "\"nul\":\"a\\ufffdb\",\"nul_bytes\":\"YQBi\","
                      "\"cut\":\"\\ufffd\",\"cut_bytes\":\"ww==\","
                      "\"good\":\"\xc3\xa4\",\"value\":\"AAE=\",\"empty\":\"\"}\n");
}

/* Every byte behind a letter, as a name: python3 must read the exact bytes. */
static void
write_all_bytes (VtreeJson *json)
{
  vtree_json_begin_array (json, NULL);
  for (int byte = 0; byte < 256; byte++) {
    const char name[2] = { 'x', (char) byte };

    vtree_json_begin_object (json, NULL);
    vtree_json_add_int (json, "byte", byte);
    vtree_json_add_bytes (json, "name", name, sizeof name);
    vtree_json_end_object (json);
  }
  vtree_json_end_array (json);
}

static void
test_oracle (void)
{
  static const char script[]
    = "import base64, json, sys\n"
      "for row in json.load(open(sys.argv[1])):\n"
      "    name = row['name'].encode()\n"
      "    if 'name_bytes' in row:\n"
      "        name = base64.b64decode(row['name_bytes'], validate=True)\n"
      "    assert name == b'x' + bytes([row['byte']]), row\n";
  char *text = text_of (write_all_bytes);
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *file = g_build_filename (dir, "out.json", NULL);
  const char *const argv[] = { "python3", "-c", script, file, NULL };
  g_autoptr (GError) error = NULL;
  int status = 0;

  g_assert_true (g_file_set_contents (file, text, -1, &error));
  free (text);
  g_spawn_sync (NULL, (char **) (void *) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/cli/json/nesting", test_nesting);
  g_test_add_func ("/cli/json/numbers", test_numbers);
  g_test_add_func ("/cli/json/escapes", test_escapes);
  g_test_add_func ("/cli/json/bytes", test_bytes);
  g_test_add_func ("/cli/json/oracle", test_oracle);
  return vtree_test_run ();
}
