/* gradus data stats: a line for each column. */
#ifndef CLI_DATA_STATS_H
#define CLI_DATA_STATS_H

#include "gradus/data.h"

gr_status data_print_stats(const gr_records *r);

#endif
