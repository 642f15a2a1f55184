/* GPT-2's map between the 256 bytes and printable characters, which lets a vocabulary file hold any bytes: bytes that
 * are printable in Latin-1 stand for themselves, the others are U+0100 upwards in their order. */
#ifndef GR__BYTEMAP_H
#define GR__BYTEMAP_H

#include "base/str.h"

/* The character of a byte, and the byte of a character (-1: none). */
uint32_t gr__byte_char(unsigned char byte);
int gr__byte_of_char(uint32_t code);

/* The byte at place 'rank' (0 to 255) when bytes are sorted by their characters: the order of GPT-2's first 256 ids. */
unsigned char gr__byte_by_rank(int rank);

/* Appends the characters of n bytes. */
void gr__bytemap_add(gr__str *out, const void *bytes, size_t n);
/* Writes the bytes of a mapped text to 'out' (room for n); returns how many, SIZE_MAX where a character is no byte. */
size_t gr__bytemap_decode(const char *text, size_t n, char *out);

#endif
