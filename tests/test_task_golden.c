/* Losses that belong to a task, on what it opens, against PyTorch's (tests/golden/make_tasks.py): loss and every gradient of
 * networks that make pictures, and of the detector with its places. */
#include "tests/golden_rig.h"

#include "base/file.h"
#include "task/assign.h"
#include "task/task.h"

/* ---- a task with the network of a golden file ---- */

static const char *folder; /* of this program's files */

typedef struct subject {
    golden_rig r;
    gr__arena arena;
    gr__task *task;
} subject;

static void load_states(const golden_rig *r)
{
    gr_value p[80];
    char key[200];
    assert_ok(gr_store_prepare(r->model->store, r->model->layout, 1));
    for (int i = 0, n = gr__model_states(r->model, p, 80); i < n; i++) {
        gr_tensor t;
        const char *path = gr_value_path(r->model->layout, p[i]);
        snprintf(key, sizeof key, "state/%s", path);
        const gr_tensor *from = rig_find(r, key);
        assert_ok(gr_store_get(r->model->store, path, &t));
        assert_int_equal(gr_tensor_count(&t), gr_tensor_count(from));
        memcpy(t.data, from->data, gr_tensor_size_bytes(&t));
    }
    gr_store_touch(r->model->store);
}

static void subject_open(subject *s, const char *name, const char *conf)
{
    char path[300];
    gr__conf *root;
    *s = (subject){.r = {.name = name}};
    assert_ok(gr__conf_parse(conf, strlen(conf), "test.yaml", &s->arena, &root));
    assert_ok(gr__task_open(&(gr__task_in){.root = root}, &s->task));
    s->r.model = s->task->model;
    snprintf(path, sizeof path, "tests/golden/task_%s.safetensors", name);
    assert_ok(gr__safetensors_open(test_source(path), &s->r.file));
    assert_ok(gr_graph_new(&s->r.g));
    load_states(&s->r);
}

static void subject_close(subject *s)
{
    s->r.model = NULL; /* the task's */
    rig_close(&s->r);
    gr__task_close(&s->task);
    gr__arena_release(&s->arena);
}

/* ---- pictures from noise ---- */

static void makers(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type, *loss, *inputs[4];
    } tries[] = {
        {"autoencoder", "autoencoder", "{}", {"pictures", "counts"}},
        {"vae", "vae", "{kl: 0.5}", {"pictures", "counts", "noise"}},
        {"dcgan", "dcgan", "{smoothing: 0.2, penalty: 2}", {"counts", "noise"}},
        {"dcgan_judge", "dcgan", "{smoothing: 0.2, penalty: 2}", {"pictures", "counts", "noise"}},
    };
    static const unsigned char black[16 + 64] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8};
    static const unsigned char zero[8 + 1] = {0, 0, 8, 1, 0, 0, 0, 1};
    test_write(folder, "pictures-idx3-ubyte", black, sizeof black);
    test_write(folder, "labels-idx1-ubyte", zero, sizeof zero);
    for (size_t k = 0; k < GR__COUNT(tries); k++) {
        subject s;
        gr_loss loss = {0};
        char conf[1000];
        snprintf(conf, sizeof conf,
                 "{task: image-generation, loss: %s,\n"
                 " data: {source: %s/pictures-idx3-ubyte, labels: %s/labels-idx1-ubyte, size: [8, 12], valid: 0},\n"
                 " model: {type: %s, latent: 5, maps: [6, 3], dropout: 0}}\n",
                 tries[k].loss, folder, folder, tries[k].type);
        subject_open(&s, tries[k].name, conf);
        assert_ok(s.task->kind->build(s.task, s.r.g, 4, true, "eval", &loss));
        if (strcmp(tries[k].name, "dcgan_judge") == 0) loss.sum = s.task->rival.sum;
        rig_check(&s.r, loss, tries[k].inputs, NULL, NULL, 0, 1e-5);
        subject_close(&s);
    }
}

/* ---- boxes ---- */

enum { HEIGHT = 20, WIDTH = 24, STRIDE = 4, PLACES = HEIGHT / STRIDE * (WIDTH / STRIDE) };

/* The places of the golden boxes are those that were found one by one. */
static void check_places(const golden_rig *r)
{
    const gr_tensor *boxes = rig_find(r, "boxes"), *labels = rig_find(r, "labels");
    const float *b = boxes->data;
    for (int picture = 0; picture < 2; picture++) {
        gr__box box[8];
        size_t n = 0;
        int32_t label[PLACES];
        float target[4 * PLACES], counts[PLACES];
        for (int64_t i = 0; i < boxes->dim[0]; i++)
            if (b[7 * i] == (float)picture)
                box[n++] = (gr__box){.class_index = (int32_t)b[7 * i + 1],
                                     .x0 = b[7 * i + 2],
                                     .y0 = b[7 * i + 3],
                                     .x1 = b[7 * i + 4],
                                     .y1 = b[7 * i + 5],
                                     .difficult = b[7 * i + 6] != 0};
        gr__assign(box, n, HEIGHT / STRIDE, WIDTH / STRIDE, STRIDE, 1.5, &(gr__assigned){label, target, counts});
        assert_memory_equal(label, (const int32_t *)labels->data + picture * PLACES, sizeof label);
        assert_memory_equal(target, (const float *)rig_find(r, "targets")->data + picture * 4 * PLACES, sizeof target);
        assert_memory_equal(counts, (const float *)rig_find(r, "counts")->data + picture * PLACES, sizeof counts);
    }
}

static void detectors(void **state)
{
    (void)state;
    static const char *const overlaps[] = {"iou", "giou", "ciou"}, *const inputs[] = {"pictures", "labels", "targets",
                                                                                      "counts", NULL};
    static const char text[] = "<annotation><filename>p.ppm</filename>\n"
                               "<object><name>a</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>"
                               "</bndbox></object>\n<object><name>b</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
                               "<xmax>2</xmax><ymax>2</ymax></bndbox></object>\n</annotation>\n";
    char picture[16 + 3 * 4] = "P6 2 2 255\n", path[600];
    snprintf(path, sizeof path, "%s/JPEGImages", folder);
    assert_ok(gr__dir_make(path));
    snprintf(path, sizeof path, "%s/Annotations", folder);
    assert_ok(gr__dir_make(path));
    test_write(folder, "JPEGImages/p.ppm", picture, strlen(picture) + 12);
    test_write(folder, "Annotations/p.xml", text, sizeof text - 1);
    for (size_t k = 0; k < GR__COUNT(overlaps); k++) {
        subject s;
        gr_loss loss = {0};
        char conf[1000], name[40];
        snprintf(name, sizeof name, "detector_%s", overlaps[k]);
        snprintf(conf, sizeof conf,
                 "{task: object-detection, data: {source: %s, size: [%d, %d], valid: 0}, loss: {overlap: %s},\n"
                 " model: {type: detector, base: 4, layers: [1], stride: %d, neck: 4, depth: 1}}\n",
                 folder, HEIGHT, WIDTH, overlaps[k], STRIDE);
        subject_open(&s, name, conf);
        check_places(&s.r);
        assert_ok(s.task->kind->build(s.task, s.r.g, 2, true, "eval", &loss));
        rig_check(&s.r, loss, inputs, NULL, NULL, 0, 1e-5);
        subject_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makers),
        cmocka_unit_test(detectors),
    };
    folder = test_tmpdir();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_rmtree(folder);
    return failed;
}
