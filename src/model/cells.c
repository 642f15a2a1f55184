/* What the models of rows of a table have in common: the first member of their configuration is their gr__columns. */
#include "model/family.h"

const gr__conf_strings *gr__table_labels(const void *config)
{
    static const gr__conf_strings none = {0};
    const gr__column *target = &((const gr__columns *)config)->target;
    return target->kind == GR__COLUMN_CATEGORY ? &target->words : &none;
}

gr_label_kind gr__table_label_kind(const void *config)
{
    return gr__columns_classes(config) ? GR_LABELS_ONE : GR_LABELS_NUMBERS;
}
