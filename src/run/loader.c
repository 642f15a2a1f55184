#include "run/loader.h"

#include "base/parallel.h"

#include <pthread.h>
#include <string.h>

struct gr__loader {
    gr__task *task;
    int64_t batch, end;
    gr__inputs to, ahead; /* the session's; the batch 'made', by the thread */
    int64_t made;         /* -1: none */
    bool beside, has_lock, has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows and, while 'wanted', lends 'ahead' and the task to the thread */
    pthread_cond_t change;
    int64_t wanted; /* the batch that is being made; -1: none */
    bool closing;
};

static void make(gr__loader *l, int64_t k, const gr__inputs *to)
{
    l->task->kind->fill(l->task, GR__SPLIT_TRAIN, k * l->batch, l->batch, to);
}

static void *work(void *user)
{
    gr__loader *l = user;
    gr__leave_signals();
    gr__parallel_in_place(); /* the pool is the step's */
    pthread_mutex_lock(&l->lock);
    while (!l->closing) {
        int64_t k = l->wanted;
        if (k < 0) {
            pthread_cond_wait(&l->change, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        make(l, k, &l->ahead);
        pthread_mutex_lock(&l->lock);
        l->made = k;
        l->wanted = -1;
        pthread_cond_broadcast(&l->change);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void want(gr__loader *l, int64_t k)
{
    if (k >= l->end) return;
    pthread_mutex_lock(&l->lock);
    l->wanted = k;
    pthread_cond_broadcast(&l->change);
    pthread_mutex_unlock(&l->lock);
}

static gr_status start(gr__loader *l)
{
    GR_TRY(gr__inputs_new(&l->to, &l->ahead));
    l->has_lock = pthread_mutex_init(&l->lock, NULL) == 0;
    if (l->has_lock && pthread_cond_init(&l->change, NULL) != 0) {
        pthread_mutex_destroy(&l->lock);
        l->has_lock = false;
    }
    int error = l->has_lock ? pthread_create(&l->thread, NULL, work, l) : 0;
    l->has_thread = l->has_lock && error == 0;
    GR_FAIL_IF(!l->has_thread, GR_ERR_IO, "cannot start a thread for the inputs%s%s; set train.loaders to 0",
               error ? ": " : "", error ? strerror(error) : "");
    return GR_OK;
}

gr_status gr__loader_new(gr__task *task, gr_session *session, int64_t batch, int64_t first, int64_t end, bool beside,
                         gr__loader **out)
{
    gr__loader *l = gr__calloc(1, sizeof *l);
    if (!l) return gr__fail_memory("a loader", sizeof *l);
    *l = (gr__loader){.task = task, .batch = batch, .end = end, .made = -1, .beside = beside, .wanted = -1};
    gr_status status = gr__inputs_of(session, &l->to);
    if (status == GR_OK && beside) status = start(l);
    if (status == GR_OK && beside) want(l, first);
    if (status != GR_OK)
        gr__loader_free(&l);
    else
        *out = l;
    return status;
}

void gr__loader_rest(gr__loader *l)
{
    if (!l || !l->beside) return;
    pthread_mutex_lock(&l->lock);
    while (l->wanted >= 0) pthread_cond_wait(&l->change, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

void gr__loader_take(gr__loader *l, int64_t k)
{
    gr__loader_rest(l);
    if (l->made == k)
        gr__inputs_copy(&l->ahead, &l->to);
    else
        make(l, k, &l->to);
    if (l->beside) want(l, k + 1);
}

void gr__loader_free(gr__loader **loader)
{
    if (!loader || !*loader) return;
    gr__loader *l = *loader;
    if (l->has_thread) {
        pthread_mutex_lock(&l->lock);
        l->closing = true;
        pthread_cond_broadcast(&l->change);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    if (l->has_lock) {
        pthread_cond_destroy(&l->change);
        pthread_mutex_destroy(&l->lock);
    }
    gr__inputs_release(&l->ahead);
    gr__inputs_release(&l->to);
    gr__free(l);
    *loader = NULL;
}
