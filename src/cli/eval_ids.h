/* For developers and tests: a model on given token ids. */
#ifndef CLI_EVAL_IDS_H
#define CLI_EVAL_IDS_H

#include "cli/ids.h"
#include "gradus/model.h"

/* f32 (B, T, V) "logits". */
gr_status eval_logits(gr_model *model, const ids_batch *ids, const char *path);
/* f32 (B, T, C) "hidden", and of what the model has (B, C) "pooled", (B, labels) "logits". */
gr_status eval_encoder(gr_model *model, const ids_batch *ids, const char *path);

/* Trains on the one batch ids (B, T+1), targets shifted by one. settings: "STEPS LR BETA1 BETA2 EPS DECAY". AdamW, decay on
 * every parameter. Writes f64 "losses" before each update and the parameters after the last. */
gr_status eval_adamw(gr_model *model, const ids_batch *ids, const char *settings, const char *path);
/* Whether the settings can be read. */
bool eval_adamw_settings(const char *settings);

#endif
