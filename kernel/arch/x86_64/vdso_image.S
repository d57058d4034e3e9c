/*
 * vdso_image.S - the vDSO as the build made it from vdso/, to be copied into pages (vdso.c).
 */
	.section .rodata
	.balign 8
	.globl vdso_image_start, vdso_image_end
vdso_image_start:
	.incbin "vdso.so"
vdso_image_end:

	.section .note.GNU-stack, "", @progbits
