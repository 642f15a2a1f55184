/* Dates and times of day as texts. */
#ifndef GR__DATE_H
#define GR__DATE_H

#include <stdbool.h>

/* ISO 8601 with dashes, all digits there: 2024-05, 2024-05-31, 2024-05-31 14:05, 2024-05-31T14:05:09.25+02:00. The others take
 * '-', '/' or '.' between, single digits, AM and PM, UTC: 2024/5/31 9:05, 31.5.2024, 5/31/2024 2:05 PM. */
typedef enum gr__date_form {
    GR__DATE_ISO,
    GR__DATE_YEAR_FIRST,
    GR__DATE_DAY_FIRST,
    GR__DATE_MONTH_FIRST
} gr__date_form;

/* Seconds since a day long ago, without a zone as if in UTC; blanks around are ignored. false: the text is no such date. */
bool gr__date_read(const char *text, gr__date_form form, double *seconds);

#endif
