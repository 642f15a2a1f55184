#include "format/wire.h"

gr_status gr__wire_corrupt(const gr__wire *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gr__fail_va(GR_ERR_CORRUPT, format, args);
    va_end(args);
    return gr__fail_prefix(GR_ERR_CORRUPT, "cannot load '%s': byte %zu", w->name, (size_t)(w->at - w->begin));
}

gr_status gr__wire_varint(gr__wire *w, uint64_t *value)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (w->at == w->end) return gr__wire_corrupt(w, "a number is cut off");
        unsigned char c = *w->at++;
        if (shift == 63 && c > 1) break;
        v |= (uint64_t)(c & 0x7fu) << shift;
        if (c & 0x80u) continue;
        *value = v;
        return GR_OK;
    }
    return gr__wire_corrupt(w, "a number has more than 64 bits");
}

static gr_status fixed(gr__wire *w, size_t n, uint64_t *value)
{
    if ((size_t)(w->end - w->at) < n) return gr__wire_corrupt(w, "a number of %zu bytes is cut off", n);
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | w->at[i];
    w->at += n;
    *value = v;
    return GR_OK;
}

gr_status gr__wire_next(gr__wire *w, gr__wire_field *field, bool *more)
{
    uint64_t key;
    *more = w->at != w->end;
    if (!*more) return GR_OK;
    GR_TRY(gr__wire_varint(w, &key));
    *field = (gr__wire_field){.number = (uint32_t)(key >> 3), .kind = (int)(key & 7)};
    if (key >> 3 == 0 || key >> 3 > 0x1fffffff) return gr__wire_corrupt(w, "a field has no valid number");
    switch (field->kind) {
    case GR__WIRE_VARINT: return gr__wire_varint(w, &field->value);
    case GR__WIRE_FIXED64: return fixed(w, 8, &field->value);
    case GR__WIRE_FIXED32: return fixed(w, 4, &field->value);
    case GR__WIRE_BYTES: break;
    default: return gr__wire_corrupt(w, "field %u has the unknown kind %d", (unsigned)field->number, field->kind);
    }
    uint64_t n;
    GR_TRY(gr__wire_varint(w, &n));
    if (n > (uint64_t)(w->end - w->at))
        return gr__wire_corrupt(w, "field %u ends %llu bytes past what holds it; is the file complete?",
                                (unsigned)field->number, (unsigned long long)(n - (uint64_t)(w->end - w->at)));
    field->bytes = w->at;
    field->n = (size_t)n;
    w->at += n;
    return GR_OK;
}

gr__wire gr__wire_inside(const gr__wire *w, const gr__wire_field *field)
{
    gr__wire inside = *w;
    inside.at = field->bytes;
    inside.end = field->bytes + field->n;
    return inside;
}
