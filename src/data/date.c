#include "data/date.h"

#include <math.h>
#include <string.h>

/* A number of 'fewest' to n digits. */
static bool take_digits(const char **at, int fewest, int n, int least, int most, int *out)
{
    int i = 0;
    *out = 0;
    for (; i < n && **at >= '0' && **at <= '9'; i++, ++*at) *out = 10 * *out + (**at - '0');
    return i >= fewest && *out >= least && *out <= most;
}

static bool take_char(const char **at, char c)
{
    if (**at != c) return false;
    ++*at;
    return true;
}

/* Since 0000-03-01, of the Gregorian calendar: a year that begins in March has its leap day at its end. */
static double days(int year, int month, int day)
{
    year -= month < 3;
    month = (month + 9) % 12;
    return 365.0 * year + floor(year / 4.0) - floor(year / 100.0) + floor(year / 400.0) + (153 * month + 2) / 5 + day -
           1;
}

static int days_of(int year, int month)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return length[month - 1] + (month == 2 && leap);
}

/* 2024-05 or 2024-05-31 */
static bool take_year_first(const char **at, bool iso, int *year, int *month, int *day)
{
    int fewest = iso ? 2 : 1;
    *day = 1;
    if (!take_digits(at, 4, 4, 0, 9999, year)) return false;
    char dash = **at;
    if (dash == 0 || !strchr(iso ? "-" : "-/.", dash)) return false;
    ++*at;
    if (!take_digits(at, fewest, 2, 1, 12, month)) return false;
    return !take_char(at, dash) || take_digits(at, fewest, 2, 1, days_of(*year, *month), day);
}

/* 31.5.2024, or with the month first */
static bool take_year_last(const char **at, bool day_first, int *year, int *month, int *day)
{
    int first, second;
    if (!take_digits(at, 1, 2, 1, 31, &first)) return false;
    char dash = **at;
    if (dash == 0 || !strchr("-/.", dash)) return false;
    ++*at;
    if (!take_digits(at, 1, 2, 1, 31, &second) || !take_char(at, dash) || !take_digits(at, 4, 4, 0, 9999, year))
        return false;
    *day = day_first ? first : second;
    *month = day_first ? second : first;
    return *month <= 12 && *day <= days_of(*year, *month);
}

/* " PM", of an hour from 1 to 12; nothing: true too. */
static bool take_half(const char **at, int *hour)
{
    const char *text = *at + (**at == ' ');
    bool pm = *text == 'P' || *text == 'p', am = *text == 'A' || *text == 'a';
    if ((!am && !pm) || (text[1] != 'M' && text[1] != 'm')) return true;
    if (*hour < 1 || *hour > 12) return false;
    *hour = *hour % 12 + (pm ? 12 : 0);
    *at = text + 2;
    return true;
}

/* 14:05, 14:05:09, 14:05:09.25 */
static bool take_clock(const char **at, bool iso, double *seconds)
{
    int hour, minute, second = 0;
    if (!take_digits(at, iso ? 2 : 1, 2, 0, 24, &hour) || !take_char(at, ':') || !take_digits(at, 2, 2, 0, 59, &minute))
        return false;
    if (take_char(at, ':')) {
        if (!take_digits(at, 2, 2, 0, 60, &second)) return false;
        double unit = 1;
        for (bool point = take_char(at, '.'); point && **at >= '0' && **at <= '9'; ++*at)
            *seconds += (unit /= 10) * (**at - '0');
    }
    if (!iso && !take_half(at, &hour)) return false;
    *seconds += 3600.0 * hour + 60.0 * minute + second;
    return true;
}

/* Z, +02:00, +0200, +02, or nothing. */
static bool take_zone(const char **at, double *seconds)
{
    int hour, minute = 0, sign = **at == '-' ? -1 : 1;
    if (take_char(at, 'Z') || (**at != '+' && **at != '-')) return true;
    ++*at;
    if (!take_digits(at, 2, 2, 0, 23, &hour)) return false;
    bool more = take_char(at, ':') || (**at >= '0' && **at <= '9');
    if (more && !take_digits(at, 2, 2, 0, 59, &minute)) return false;
    *seconds -= sign * (3600.0 * hour + 60.0 * minute);
    return true;
}

bool gr__date_read(const char *text, gr__date_form form, double *seconds)
{
    int year, month, day;
    bool iso = form == GR__DATE_ISO;
    while (take_char(&text, ' ')) continue;
    if (!(iso || form == GR__DATE_YEAR_FIRST ? take_year_first(&text, iso, &year, &month, &day)
                                             : take_year_last(&text, form == GR__DATE_DAY_FIRST, &year, &month, &day)))
        return false;
    *seconds = 86400 * days(year, month, day);
    if ((*text == 'T' || *text == ' ') && text[1] >= '0' && text[1] <= '9') {
        text++;
        if (!take_clock(&text, iso, seconds) || !take_zone(&text, seconds)) return false;
        if (!iso && (strncmp(text, " UTC", 4) == 0 || strncmp(text, " GMT", 4) == 0)) text += 4;
    }
    while (take_char(&text, ' ')) continue;
    return *text == 0;
}
