/* SPDX-License-Identifier: MIT */
/*
 * Where libcubby lies in memory, and what its addresses are called.
 *
 * The harness is linked with the shared library, so the section .text of that
 * file is libcubby's code and nothing else's: the PLT, through which it calls
 * libc, is a section of its own. Names come from the file's symbol table, which
 * knows the static functions too; a stripped library leaves only offsets.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static const unsigned char *file;
static uintptr_t file_base;
static char file_path[4096];

static const ElfW(Shdr) * section(const char *name)
{
	const ElfW(Ehdr) *header = (const void *)file;
	const ElfW(Shdr) *sections = (const void *)(file + header->e_shoff);
	const char *names = (const char *)file +
			    sections[header->e_shstrndx].sh_offset;

	for (int i = 0; i < header->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, name) == 0)
			return &sections[i];
	}
	return NULL;
}

static int
visit_object(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	if (!strstr(info->dlpi_name, "/libcubby.so"))
		return 0;
	file_base = info->dlpi_addr;
	snprintf(file_path, sizeof(file_path), "%s", info->dlpi_name);
	return 1;
}

static void
map_file(void)
{
	struct stat status;
	int fd = open(file_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status) < 0) {
		perror(file_path);
		exit(2);
	}
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd,
		    0);
	close(fd);
	if (file == MAP_FAILED) {
		perror(file_path);
		exit(2);
	}
}

void
text_find(struct text *ret)
{
	const ElfW(Shdr) * text;

	if (!dl_iterate_phdr(visit_object, NULL)) {
		fprintf(stderr, "link the harness with libcubby.so\n");
		exit(2);
	}
	map_file();
	text = section(".text");
	if (!text) {
		fprintf(stderr, "%s has no section .text\n", file_path);
		exit(2);
	}
	ret->base = file_base;
	ret->start = file_base + text->sh_addr;
	ret->end = ret->start + text->sh_size;
}

static const ElfW(Sym) * symbol_at(uintptr_t offset, const char **ret_names)
{
	const ElfW(Shdr) *table = section(".symtab");
	const ElfW(Shdr) *names = section(".strtab");
	const ElfW(Sym) * symbols;

	if (!table || !names)
		return NULL;
	symbols = (const void *)(file + table->sh_offset);
	*ret_names = (const char *)file + names->sh_offset;
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
		if (ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC &&
		    offset - symbols[i].st_value < symbols[i].st_size)
			return &symbols[i];
	}
	return NULL;
}

bool
text_function(const struct text *text, const char *name, uintptr_t *ret_start,
	      uintptr_t *ret_end)
{
	const ElfW(Shdr) *table = section(".symtab");
	const ElfW(Shdr) *names = section(".strtab");
	const ElfW(Sym) *symbol;
	size_t count = table && names ? table->sh_size / sizeof(*symbol) : 0;

	for (size_t i = 0; i < count; i++) {
		symbol = (const ElfW(Sym) *)(const void *)
			(file + table->sh_offset) + i;
		if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
		    strcmp((const char *)file + names->sh_offset +
				   symbol->st_name, name))
			continue;
		*ret_start = text->base + symbol->st_value;
		*ret_end = *ret_start + symbol->st_size;
		return true;
	}
	return false;
}

const char *
text_name(const struct text *text, uintptr_t address)
{
	static char name[200];
	uintptr_t offset = address - text->base;
	const char *names;
	const ElfW(Sym) *symbol = symbol_at(offset, &names);

	if (!symbol)
		snprintf(name, sizeof(name), "libcubby+0x%zx", (size_t)offset);
	else
		snprintf(name, sizeof(name), "%s+0x%zx (libcubby+0x%zx)",
			 names + symbol->st_name,
			 (size_t)(offset - symbol->st_value), (size_t)offset);
	return name;
}
