/*
 * script.c - programs that begin with "#!": the interpreter that the line names runs instead, with
 * the script's name as an argument.
 *
 * As on Linux: the line counts up to 255 bytes, all after the interpreter's name is one argument,
 * and interpreters may be scripts themselves, five deep.
 */
#include <asm-generic/errno.h>

#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec_priv.h"

#define SCRIPT_DEPTH_MAX 5

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Put s (n bytes) before the arguments: in place of argv[0] the first time, in front of what is
 * there later.
 */
static int prefix_insert(struct exec *x, u32 at, const char *s, size_t n)
{
	char *copy = kmalloc(n + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, s, n);
	copy[n] = '\0';
	memmove(&x->prefix[at + 1], &x->prefix[at], (x->nprefix - at) * sizeof(char *));
	x->prefix[at] = copy;
	x->nprefix++;
	return 0;
}

/*
 * The line's interpreter and argument (NULL: none), as parts of the header, which gets NULs.
 * -ENOEXEC as Linux.
 */
static int line_parse(char *line, char **interpreter, char **argument)
{
	char *end = memchr(line, '\n', EXEC_HEADER - 2), *p = line;
	bool cut = !end;

	if (cut)
		end = line + EXEC_HEADER - 3;
	while (end > line && is_blank(end[-1]))
		end--;
	while (p < end && is_blank(*p))
		p++;
	if (p >= end || *p == '\0')
		return -ENOEXEC;
	*interpreter = p;
	while (p < end && !is_blank(*p) && *p)
		p++;
	/* The name itself was cut off: there is no telling what it was. */
	if (cut && p >= end && end[0] != '\0')
		return -ENOEXEC;
	*end = '\0';
	if (p < end && *p) {
		*p++ = '\0';
		while (is_blank(*p))
			p++;
	}
	*argument = p < end && *p ? p : NULL;
	return 0;
}

/*
 * One level: the script's name and the line go before the arguments; x->file becomes the
 * interpreter.
 */
static int script_step(struct exec *x, const char *script)
{
	char *interpreter, *argument;
	struct file *f;
	int err = line_parse((char *)x->header + 2, &interpreter, &argument);

	if (err)
		return err;
	if (x->nprefix) { /* the deeper script's own name is what its interpreter was called by */
		kfree(x->prefix[0]);
		memmove(&x->prefix[0], &x->prefix[1], --x->nprefix * sizeof(char *));
	}
	err = prefix_insert(x, 0, script, strlen(script));
	if (!err && argument)
		err = prefix_insert(x, 0, argument, strlen(argument));
	if (!err)
		err = prefix_insert(x, 0, interpreter, strlen(interpreter));
	if (!err)
		err = exec_open(NULL, x->prefix[0], LOOKUP_FOLLOW, &f);
	if (err)
		return err;
	exec_file_put(x->file);
	x->file = f;
	return exec_read_header(x);
}

int script_resolve(struct exec *x)
{
	for (u32 depth = 0; x->header[0] == '#' && x->header[1] == '!'; depth++) {
		char *script = depth ? kstrdup(x->prefix[0]) : kstrdup(x->name);
		int err;

		if (!script)
			return -ENOMEM;
		err = depth == SCRIPT_DEPTH_MAX ? -ELOOP : script_step(x, script);
		kfree(script);
		if (err)
			return err;
	}
	return 0;
}
