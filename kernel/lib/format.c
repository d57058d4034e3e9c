/*
 * format.c - formatted text: the subset of printf(3) that print.h lists.
 *
 * Central rule: text goes through sink_put alone, which counts every character but stores only what
 * has room; so the length that the whole text has is known at the end, and the result is always
 * terminated.
 */
#include "lib/print.h"
#include "lib/string.h"

struct sink {
	char *buf;
	size_t size, length;
};

static void sink_put(struct sink *s, char c)
{
	if (s->length + 1 < s->size)
		s->buf[s->length] = c;
	s->length++;
}

static void sink_fill(struct sink *s, char c, int count)
{
	while (count-- > 0)
		sink_put(s, c);
}

static void sink_text(struct sink *s, const char *text, size_t n)
{
	while (n--)
		sink_put(s, *text++);
}

/* One conversion: what stands between % and its letter. */
struct spec {
	bool left, zero, plus, space, alternate;
	int width;
	int precision; /* -1: none */
	int size;      /* bytes of the integer argument */
};

/* A number, or * for the next argument. */
static int spec_number(const char **fmt, va_list *args)
{
	int n = 0;

	if (**fmt == '*') {
		(*fmt)++;
		return va_arg(*args, int);
	}
	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
		n = n * 10 + (**fmt - '0');
	return n;
}

static void spec_flags(struct spec *s, const char **fmt)
{
	for (;; (*fmt)++) {
		switch (**fmt) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alternate = true;
			break;
		default:
			return;
		}
	}
}

static struct spec spec_parse(const char **fmt, va_list *args)
{
	struct spec s = { .precision = -1, .size = sizeof(int) };

	spec_flags(&s, fmt);
	s.width = spec_number(fmt, args);
	if (s.width < 0) {
		s.left = true;
		s.width = -s.width;
	}
	if (**fmt == '.') {
		(*fmt)++;
		s.precision = spec_number(fmt, args);
	}
	for (;; (*fmt)++) {
		if (**fmt == 'l' || **fmt == 'z')
			s.size = sizeof(long);
		else if (**fmt == 'h')
			s.size = s.size == sizeof(short) ? sizeof(char) : sizeof(short);
		else
			return s;
	}
}

/* body, padded to the width on the side that the flags say. */
static void put_padded(struct sink *out, const struct spec *s, const char *body, size_t n)
{
	int pad = s->width > (int)n ? s->width - (int)n : 0;

	if (!s->left)
		sink_fill(out, ' ', pad);
	sink_text(out, body, n);
	if (s->left)
		sink_fill(out, ' ', pad);
}

/* prefix (sign or 0x), zeros up to precision or width, digits; padded. */
static void put_integer(struct sink *out, const struct spec *s, u64 value, u32 base, bool upper,
			const char *prefix)
{
	char digits[24];
	int n = 0, zeros = 0, prefix_length = (int)strlen(prefix);

	for (u64 v = value; v; v /= base)
		digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
	if (!value && s->precision != 0)
		digits[n++] = '0';
	if (s->alternate && base == 8 && (!n || digits[n - 1] != '0'))
		zeros = 1;
	if (s->precision > n)
		zeros = s->precision - n;
	else if (s->precision < 0 && s->zero && !s->left)
		zeros = max(zeros, s->width - prefix_length - n);

	int pad = s->width - prefix_length - zeros - n;
	if (!s->left)
		sink_fill(out, ' ', pad);
	sink_text(out, prefix, (size_t)prefix_length);
	sink_fill(out, '0', zeros);
	while (n)
		sink_put(out, digits[--n]);
	if (s->left)
		sink_fill(out, ' ', pad);
}

static void put_signed(struct sink *out, const struct spec *s, va_list *args)
{
	s64 v = s->size == sizeof(long) ? va_arg(*args, s64) : va_arg(*args, int);

	if (s->size == sizeof(short))
		v = (s16)v;
	else if (s->size == sizeof(char))
		v = (s8)v;
	put_integer(out, s, v < 0 ? 0 - (u64)v : (u64)v, 10, false,
		    v < 0      ? "-"
		    : s->plus  ? "+"
		    : s->space ? " "
			       : "");
}

static void put_unsigned(struct sink *out, const struct spec *s, va_list *args, char letter)
{
	u64 v = s->size == sizeof(long) ? va_arg(*args, u64) : va_arg(*args, u32);
	u32 base = letter == 'u' ? 10 : letter == 'o' ? 8 : 16;
	const char *prefix = "";

	if (s->size == sizeof(short))
		v = (u16)v;
	else if (s->size == sizeof(char))
		v = (u8)v;
	if (s->alternate && base == 16 && v)
		prefix = letter == 'X' ? "0X" : "0x";
	put_integer(out, s, v, base, letter == 'X', prefix);
}

static void put_string(struct sink *out, const struct spec *s, const char *text)
{
	if (!text)
		text = "(null)";
	put_padded(out, s, text,
		   s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision));
}

/* False: not a conversion we know. */
static bool put_conversion(struct sink *out, const struct spec *s, char letter, va_list *args)
{
	char c;

	switch (letter) {
	case 'd':
	case 'i':
		put_signed(out, s, args);
		return true;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_unsigned(out, s, args, letter);
		return true;
	case 'c':
		c = (char)va_arg(*args, int);
		put_padded(out, s, &c, 1);
		return true;
	case 's':
		put_string(out, s, va_arg(*args, const char *));
		return true;
	case 'p':
		put_integer(out, s, (u64)va_arg(*args, void *), 16, false, "0x");
		return true;
	case '%':
		sink_put(out, '%');
		return true;
	default:
		return false;
	}
}

int format_va(char *buf, size_t size, const char *fmt, va_list args)
{
	struct sink out = { .buf = buf, .size = size };
	va_list rest;

	va_copy(rest, args);
	while (*fmt) {
		const char *start = fmt;

		if (*fmt++ != '%') {
			sink_put(&out, *start);
			continue;
		}
		struct spec s = spec_parse(&fmt, &rest);
		if (*fmt && put_conversion(&out, &s, *fmt, &rest))
			fmt++;
		else
			sink_text(&out, start, (size_t)(fmt - start));
	}
	va_end(rest);
	if (size)
		buf[min(out.length, size - 1)] = 0;
	return (int)out.length;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int n = format_va(buf, size, fmt, args);
	va_end(args);
	return n;
}
