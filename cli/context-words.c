/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the options' names; what their words mean is context.c's affair. */
#include "cli/context-words.h"

#include <unistd.h>

void
vtree_context_words_clear (VtreeContextWords *words)
{
  g_strfreev (words->share);
  g_strfreev (words->unshare);
  g_strfreev (words->socket);
  g_strfreev (words->nosocket);
  g_strfreev (words->device);
  g_strfreev (words->nodevice);
  g_strfreev (words->filesystem);
  g_strfreev (words->nofilesystem);
  g_strfreev (words->environment);
  g_strfreev (words->unset);
  g_strfreev (words->runtime);
}

void
vtree_context_words_add (VtreeContextWords *words, GArray *entries)
{
  const GOptionEntry own[] = {
    { "share", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->share,
      "Share the host's network or ipc (each of these may be repeated)", "SHARED" },
    { "unshare", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->unshare, "Don't share it",
      "SHARED" },
    { "socket", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->socket,
      "Show wayland, x11, fallback-x11, pulseaudio, session-bus, system-bus…",
      "SOCKET" },
    { "nosocket", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->nosocket, "Don't show it",
      "SOCKET" },
    { "device", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->device,
      "Show the devices dri, kvm, shm or all", "DEVICE" },
    { "nodevice", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->nodevice, "Don't show it",
      "DEVICE" },
    { "filesystem", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->filesystem,
      "Show home, host, xdg-download…, ~/PATH or /PATH; :ro, :rw, :create", "PLACE" },
    { "nofilesystem", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->nofilesystem,
      "Don't show it", "PLACE" },
    { "env", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->environment, "Set a variable",
      "NAME=VALUE" },
    { "unset-env", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->unset, "Unset a variable",
      "NAME" },
    { "runtime", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words->runtime,
      "Take /usr from this tree, not from the host (nothing behind =: from the host)",
      "REF" },
  };

  g_array_append_vals (entries, own, G_N_ELEMENTS (own));
}

bool
vtree_context_words_each (const VtreeContextWords *words,
                          bool (*apply) (void *data, VtreeContextKind kind,
                                         const char *word, GError **error),
                          void *data, GError **error)
{
  const struct {
    char **words;
    VtreeContextKind kind;
    const char *before;
  } all[] = {
    { words->share, VTREE_CONTEXT_SHARE, "" },
    { words->unshare, VTREE_CONTEXT_SHARE, "!" },
    { words->socket, VTREE_CONTEXT_SOCKET, "" },
    { words->nosocket, VTREE_CONTEXT_SOCKET, "!" },
    { words->device, VTREE_CONTEXT_DEVICE, "" },
    { words->nodevice, VTREE_CONTEXT_DEVICE, "!" },
    { words->filesystem, VTREE_CONTEXT_FILESYSTEM, "" },
    { words->nofilesystem, VTREE_CONTEXT_FILESYSTEM, "!" },
    { words->environment, VTREE_CONTEXT_ENVIRONMENT, "" },
    { words->unset, VTREE_CONTEXT_UNSET, "" },
    { words->runtime, VTREE_CONTEXT_RUNTIME, "" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
    for (char **word = all[i].words; word != NULL && *word != NULL; word++) {
      g_autofree char *whole = g_strconcat (all[i].before, *word, NULL);

      if (!apply (data, all[i].kind, whole, error))
        return false;
    }
  return true;
}

/* The place that WORD alone asks for, if it is one that has to be there. To be freed;
 * "" where the user has no such directory; NULL for none. */
static char *
find_wanted (const char *word)
{
  g_autoptr (VtreeContext) trial = vtree_context_new ();
  g_autoptr (GList) places = NULL;

  if (word[0] == '!'
      || !vtree_context_add (trial, VTREE_CONTEXT_FILESYSTEM, word, NULL))
    return NULL;
  places = vtree_context_list_places (trial);
  if (places == NULL)
    return g_strdup ("");
  return vtree_context_place_mode (trial, places->data) == VTREE_CONTEXT_CREATE
           ? NULL
           : g_strdup (places->data);
}

void
vtree_context_words_note_missing (const VtreeContextWords *words, const VtreeCli *cli)
{
  for (char **word = words->filesystem; word != NULL && *word != NULL; word++) {
    g_autofree char *place = find_wanted (*word);
    g_autofree char *escaped = vtree_error_escape (*word, -1);

    if (place != NULL && place[0] == '\0')
      vtree_cli_note (cli, "--filesystem=%s: you have no such directory; left out",
                      escaped);
    else if (place != NULL && place[0] == '/' && access (place, F_OK) != 0)
      vtree_cli_note (cli,
                      "--filesystem=%s: there is no %s; left out (:create behind it "
                      "makes a directory)",
                      escaped, place);
  }
}
