/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns what the verbs about sealed files have in common; judges nothing. */
#include "cli/sealing.h"

#include <unistd.h>

void
vtree_sealing_clear (VtreeSealing *run)
{
  g_clear_pointer (&run->progress, vtree_progress_free);
  g_clear_pointer (&run->json, vtree_json_free);
  g_clear_pointer (&run->trust, vtree_trust_free);
  g_clear_pointer (&run->paths, vtree_paths_free);
}

bool
vtree_sealing_begin (VtreeSealing *run, const char *what, const char *key_file,
                     GError **error)
{
  run->paths = vtree_paths_new (error);
  run->trust
    = run->paths != NULL ? vtree_trust_load (run->paths, key_file, error) : NULL;
  if (run->trust == NULL)
    return false;
  run->progress = vtree_progress_new (what, !run->cli->quiet);
  if (!run->cli->json)
    return true;
  run->json = vtree_json_new (stdout);
  vtree_json_begin_answer (run->json);
  vtree_json_begin_array (run->json, "files");
  return true;
}

static void
report (void *context, uint64_t bytes)
{
  VtreeSealing *run = context;

  run->current = bytes;
  vtree_progress_count (run->progress, run->files, run->bytes + bytes);
}

VtreeFileSealProgress
vtree_sealing_progress (VtreeSealing *run)
{
  return (VtreeFileSealProgress){ .report = report, .context = run };
}

void
vtree_sealing_next (VtreeSealing *run)
{
  run->files++;
  run->bytes += run->current;
  run->current = 0;
  vtree_progress_count (run->progress, run->files, run->bytes);
  if (isatty (STDOUT_FILENO) == 1)
    vtree_progress_hide (run->progress);
}

void
vtree_sealing_note (VtreeSealing *run, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  vtree_progress_hide (run->progress);
  vtree_cli_note (run->cli, "%s", text);
}

void
vtree_sealing_add_seal (VtreeJson *json, const VtreeFileSeal *seal)
{
  g_autofree char *mode = g_strdup_printf ("%04o", seal->mode);
  g_autofree char *created = vtree_time_format (seal->created);
  char digest[VTREE_DIGEST_TEXT_MAX];

  vtree_json_add_string (json, "name", seal->name);
  vtree_json_add_uint (json, "version", seal->version);
  vtree_json_add_string (json, "created", created);
  vtree_json_add_string (json, "digest", vtree_digest_format (&seal->digest, digest));
  vtree_json_add_uint (json, "size", seal->size);
  vtree_json_add_string (json, "mode", mode);
}

void
vtree_sealing_end (VtreeSealing *run)
{
  if (run->json == NULL)
    return;
  vtree_json_end_array (run->json);
  vtree_json_end_object (run->json);
}
