/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verifying ahead. Owns: who reads in order, the pieces that were prepared for them and
 * the threads that prepare. Knows nothing of how a piece is verified.
 */
#include "fuse/ahead.h"

#include "fuse/buffers.h"

#define STREAMS 8
#define AHEAD_PIECES (VTREE_AHEAD_BYTES / VTREE_AHEAD_PIECE)
#define PIECES_MAX (VTREE_AHEAD_MAX_BYTES / VTREE_AHEAD_PIECE)
#define KEPT_BUFFERS (AHEAD_PIECES + 2)
/* So many READs in order make a reader who reads in order. */
#define IN_ORDER 3
#define STOPPED 64
/* READs of one reader are answered by several threads: one may overtake so many. */
#define OVERTAKEN 2

typedef enum {
  QUEUED,
  RUNNING,
  READY,
  DROPPED, /* nobody reads it any more, or it could not be read yet */
  FAILED
} State;

typedef struct {
  uint64_t node;
  uint64_t number; /* within the file */
  size_t size;
  size_t left; /* bytes that no READ has had */
  VtreeBuffer *buffer;
  State state;
  unsigned refs; /* the stream's, who works on it, spans */
} Piece;

/* A reader. Pieces are consecutive, from the first on. */
typedef struct {
  uint64_t node;
  uint64_t next; /* offset behind the furthest READ */
  uint64_t used; /* of the clock */
  unsigned run;  /* READs in order; 0: the place is free */
  bool refused;  /* a piece failed: not before the next READ out of order */
  GQueue pieces; /* of Piece */
} Stream;

struct VtreeAhead {
  VtreeAheadRead read;
  void *context;
  unsigned threads;
  VtreeBuffers *buffers;
  GMutex lock; /* all below */
  GCond queued;
  GCond done;
  GQueue queue; /* of Piece, QUEUED ones; those that no stream has any more too */
  GThread *workers[8];
  unsigned running; /* of workers */
  unsigned pieces;  /* that exist */
  uint64_t clock;
  bool ends;
  Stream streams[STREAMS];
};

VtreeAhead *
vtree_ahead_new (VtreeAheadRead read, void *context, unsigned threads)
{
  VtreeAhead *ahead = g_new0 (VtreeAhead, 1);
  ahead->read = read;
  ahead->context = context;
  ahead->threads = MIN (threads, G_N_ELEMENTS (ahead->workers));
  ahead->buffers = vtree_buffers_new (KEPT_BUFFERS);
  g_mutex_init (&ahead->lock);
  g_cond_init (&ahead->queued);
  g_cond_init (&ahead->done);
  return ahead;
}

/* With the lock, as everything below that does not say otherwise. */
static void
piece_unref (VtreeAhead *ahead, Piece *piece)
{
  if (--piece->refs > 0)
    return;
  vtree_buffers_put (ahead->buffers, piece->buffer);
  ahead->pieces--;
  g_free (piece);
}

/* Out of its stream. Nobody begins to work on it any more. */
static void
piece_drop (VtreeAhead *ahead, Piece *piece)
{
  if (piece->state == QUEUED && g_queue_remove (&ahead->queue, piece)) {
    piece->state = DROPPED;
    piece_unref (ahead, piece);
    g_cond_broadcast (&ahead->done);
  }
  piece_unref (ahead, piece);
}

static void
drop_pieces (VtreeAhead *ahead, Stream *stream)
{
  Piece *piece;
  while ((piece = g_queue_pop_head (&stream->pieces)) != NULL)
    piece_drop (ahead, piece);
}

static State
state_after (VtreeAheadResult result)
{
  if (result == VTREE_AHEAD_READ)
    return READY;
  return result == VTREE_AHEAD_LATER ? DROPPED : FAILED;
}

/* Does the work of PIECE, without the lock meanwhile. */
static void
run_piece (VtreeAhead *ahead, Piece *piece)
{
  piece->state = RUNNING;
  g_mutex_unlock (&ahead->lock);
  VtreeAheadResult result
    = ahead->read (ahead->context, piece->node, piece->buffer->data, piece->size,
                   piece->number * VTREE_AHEAD_PIECE);
  g_mutex_lock (&ahead->lock);
  piece->state = state_after (result);
  piece_unref (ahead, piece); /* the queue's */
  g_cond_broadcast (&ahead->done);
}

static gpointer
work (gpointer data)
{
  VtreeAhead *ahead = data;
  g_mutex_lock (&ahead->lock);
  while (!ahead->ends) {
    Piece *piece = g_queue_pop_head (&ahead->queue);
    if (piece != NULL)
      run_piece (ahead, piece);
    else
      g_cond_wait (&ahead->queued, &ahead->lock);
  }
  g_mutex_unlock (&ahead->lock);
  return NULL;
}

void
vtree_ahead_free (VtreeAhead *ahead)
{
  if (ahead == NULL)
    return;
  g_mutex_lock (&ahead->lock);
  ahead->ends = true;
  g_cond_broadcast (&ahead->queued);
  g_mutex_unlock (&ahead->lock);
  for (unsigned i = 0; i < ahead->running; i++)
    g_thread_join (ahead->workers[i]);
  for (unsigned i = 0; i < STREAMS; i++)
    drop_pieces (ahead, &ahead->streams[i]);
  g_assert (ahead->pieces == 0);
  vtree_buffers_free (ahead->buffers);
  g_cond_clear (&ahead->done);
  g_cond_clear (&ahead->queued);
  g_mutex_clear (&ahead->lock);
  g_free (ahead);
}

static void
start_workers (VtreeAhead *ahead)
{
  while (ahead->running < ahead->threads) {
    GThread *thread = g_thread_try_new ("vtree-ahead", work, ahead, NULL);
    if (thread == NULL)
      break; /* who reads does the work */
    ahead->workers[ahead->running++] = thread;
  }
}

/* How far from where its reader is a READ like WANTED may be. */
static uint64_t
slack_of (const VtreeAheadWanted *wanted)
{
  return OVERTAKEN * MAX (wanted->size, VTREE_AHEAD_PIECE);
}

/* How far WANTED is from where STREAM goes on. */
static uint64_t
distance (const Stream *stream, const VtreeAheadWanted *wanted)
{
  if (stream->run == 0 || stream->node != wanted->node)
    return UINT64_MAX;
  return MAX (stream->next, wanted->offset) - MIN (stream->next, wanted->offset);
}

/* The stream that WANTED belongs to; a new one in the place of the one that was not
 * used for longest. */
static Stream *
find_stream (VtreeAhead *ahead, const VtreeAheadWanted *wanted)
{
  Stream *oldest = &ahead->streams[0];
  Stream *closest = &ahead->streams[0];
  for (unsigned i = 1; i < STREAMS; i++) {
    Stream *stream = &ahead->streams[i];
    if (distance (stream, wanted) < distance (closest, wanted))
      closest = stream;
    if (stream->used < oldest->used)
      oldest = stream;
  }
  if (distance (closest, wanted) <= slack_of (wanted))
    return closest;
  drop_pieces (ahead, oldest);
  *oldest = (Stream){ .node = wanted->node, .next = wanted->offset };
  return oldest;
}

/* Whether one more piece may exist. A reader who has stopped, so many READs of others
 * ago, makes room. */
static bool
make_room (VtreeAhead *ahead)
{
  for (unsigned i = 0; i < STREAMS && ahead->pieces >= PIECES_MAX; i++) {
    if (ahead->clock - ahead->streams[i].used > STOPPED)
      drop_pieces (ahead, &ahead->streams[i]);
  }
  return ahead->pieces < PIECES_MAX;
}

/* Adds the piece behind the last one, or number FIRST; false: there is no room. */
static bool
add_piece (VtreeAhead *ahead, Stream *stream, uint64_t first, uint64_t file_size)
{
  const Piece *last = g_queue_peek_tail (&stream->pieces);
  uint64_t number = last != NULL ? last->number + 1 : first;
  VtreeBuffer *buffer
    = make_room (ahead) ? vtree_buffers_get (ahead->buffers, VTREE_AHEAD_PIECE) : NULL;
  if (buffer == NULL)
    return false;
  Piece *piece = g_new0 (Piece, 1);
  uint64_t rest = file_size - number * VTREE_AHEAD_PIECE;
  piece->node = stream->node;
  piece->number = number;
  piece->size = piece->left = (size_t) MIN (rest, VTREE_AHEAD_PIECE);
  piece->buffer = buffer;
  piece->refs = 2;
  ahead->pieces++;
  g_queue_push_tail (&stream->pieces, piece);
  g_queue_push_tail (&ahead->queue, piece);
  return true;
}

static uint64_t
last_number (const Stream *stream)
{
  const Piece *last = g_queue_peek_tail ((GQueue *) &stream->pieces);
  return last != NULL ? last->number : 0;
}

/* Has all pieces of WANTED, and of what comes after it, asked for; where there are none
 * yet from FROM on, before which all has been asked for. False: those of WANTED could
 * not be had. The next ones are asked for some at a time, since to wake a worker costs
 * as much as half a piece. */
static bool
extend (VtreeAhead *ahead, Stream *stream, const VtreeAheadWanted *wanted,
        uint64_t from)
{
  uint64_t last = (wanted->offset + wanted->size - 1) / VTREE_AHEAD_PIECE;
  uint64_t end = (wanted->file_size - 1) / VTREE_AHEAD_PIECE;
  bool was_empty = g_queue_is_empty (&stream->pieces);
  uint64_t reached = last_number (stream);
  if (!was_empty && reached >= MIN (end, last + AHEAD_PIECES / 2))
    return true;
  uint64_t goal = MIN (end, last + AHEAD_PIECES);
  bool ok = true;
  while (ok && (g_queue_is_empty (&stream->pieces) || last_number (stream) < goal))
    ok = add_piece (ahead, stream, from / VTREE_AHEAD_PIECE, wanted->file_size);
  start_workers (ahead);
  g_cond_broadcast (&ahead->queued);
  return !g_queue_is_empty (&stream->pieces) && last_number (stream) >= last;
}

/* References to the pieces of WANTED; false: the first of them has been dropped. */
static bool
take_pieces (Stream *stream, const VtreeAheadWanted *wanted, VtreeAheadSpan *span)
{
  uint64_t first = wanted->offset / VTREE_AHEAD_PIECE;
  uint64_t last = (wanted->offset + wanted->size - 1) / VTREE_AHEAD_PIECE;
  for (GList *link = stream->pieces.head; link != NULL; link = link->next) {
    Piece *piece = link->data;
    if (piece->number < first || piece->number > last)
      continue;
    piece->refs++;
    span->pieces[span->count++] = piece;
  }
  return span->count == last - first + 1;
}

static void
put_pieces (VtreeAhead *ahead, VtreeAheadSpan *span)
{
  for (unsigned i = 0; i < span->count; i++)
    piece_unref (ahead, span->pieces[i]);
  span->count = 0;
}

/* The next one to work on for SPAN's sake: one of its own, else any of its node's. */
static Piece *
next_work (VtreeAhead *ahead, const VtreeAheadSpan *span)
{
  const Piece *own = span->pieces[0];
  for (unsigned i = 0; i < span->count; i++) {
    Piece *piece = span->pieces[i];
    if (piece->state == QUEUED)
      return piece;
  }
  for (GList *link = ahead->queue.head; link != NULL; link = link->next) {
    Piece *piece = link->data;
    if (piece->node == own->node)
      return piece;
  }
  return NULL;
}

/* READY if all of SPAN is, FAILED or DROPPED if a piece is, else QUEUED: not yet. */
static State
state_of (const VtreeAheadSpan *span)
{
  State state = READY;
  for (unsigned i = 0; i < span->count; i++) {
    const Piece *piece = span->pieces[i];
    if (piece->state == FAILED || piece->state == DROPPED)
      return piece->state;
    if (piece->state != READY)
      state = QUEUED;
  }
  return state;
}

/* Works until it is known what becomes of SPAN, and waits for what others work on. */
static State
finish (VtreeAhead *ahead, const VtreeAheadSpan *span)
{
  State state;
  while ((state = state_of (span)) == QUEUED) {
    Piece *piece = next_work (ahead, span);
    if (piece == NULL) {
      g_cond_wait (&ahead->done, &ahead->lock);
      continue;
    }
    g_queue_remove (&ahead->queue, piece);
    run_piece (ahead, piece);
  }
  return state;
}

/* What SPAN is to show of its pieces. */
static void
fill_span (const VtreeAheadWanted *wanted, VtreeAheadSpan *span)
{
  uint64_t at = wanted->offset;
  uint64_t end = wanted->offset + wanted->size;
  for (unsigned i = 0; i < span->count; i++) {
    Piece *piece = span->pieces[i];
    size_t skip = (size_t) (at % VTREE_AHEAD_PIECE);
    size_t size = (size_t) MIN (end - at, piece->size - skip);
    span->data[i] = (struct iovec){ piece->buffer->data + skip, size };
    piece->left -= MIN (size, piece->left);
    at += size;
  }
}

/* The stream that has WANTED's pieces now: it may have been given to another reader
 * while the lock was not held. */
static void
drop_used (VtreeAhead *ahead, const VtreeAheadWanted *wanted)
{
  for (unsigned i = 0; i < STREAMS; i++) {
    Stream *stream = &ahead->streams[i];
    uint64_t slack = slack_of (wanted);
    uint64_t behind = (stream->next - MIN (stream->next, slack)) / VTREE_AHEAD_PIECE;
    Piece *piece;
    while (stream->node == wanted->node
           && (piece = g_queue_peek_head (&stream->pieces)) != NULL
           && (piece->left == 0 || piece->state == DROPPED || piece->number < behind))
      piece_drop (ahead, g_queue_pop_head (&stream->pieces));
  }
}

/* The stream's pieces for WANTED, if it is one to read ahead for. */
static bool
begin (VtreeAhead *ahead, const VtreeAheadWanted *wanted, VtreeAheadSpan *span)
{
  Stream *stream = find_stream (ahead, wanted);
  uint64_t from = MIN (stream->next, wanted->offset);
  stream->next = MAX (stream->next, wanted->offset + wanted->size);
  stream->used = ++ahead->clock;
  stream->run = MIN (stream->run + 1, IN_ORDER);
  if (stream->run < IN_ORDER || stream->refused)
    return false;
  return extend (ahead, stream, wanted, from) && take_pieces (stream, wanted, span);
}

static void
refuse (VtreeAhead *ahead, uint64_t node)
{
  for (unsigned i = 0; i < STREAMS; i++) {
    Stream *stream = &ahead->streams[i];
    if (stream->node != node)
      continue;
    drop_pieces (ahead, stream);
    stream->refused = true;
  }
}

bool
vtree_ahead_get (VtreeAhead *ahead, const VtreeAheadWanted *wanted,
                 VtreeAheadSpan *span)
{
  span->count = 0;
  if (wanted->size > (VTREE_AHEAD_PIECES - 1) * VTREE_AHEAD_PIECE)
    return false;
  g_mutex_lock (&ahead->lock);
  State state = begin (ahead, wanted, span) ? finish (ahead, span) : DROPPED;
  if (state == FAILED)
    refuse (ahead, wanted->node);
  if (state == READY)
    fill_span (wanted, span);
  else
    put_pieces (ahead, span);
  drop_used (ahead, wanted);
  g_mutex_unlock (&ahead->lock);
  return state == READY;
}

void
vtree_ahead_put (VtreeAhead *ahead, VtreeAheadSpan *span)
{
  g_mutex_lock (&ahead->lock);
  put_pieces (ahead, span);
  g_mutex_unlock (&ahead->lock);
}
