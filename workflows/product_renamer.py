"""Script of the ProductRenamer actor: final products get names made of their header keywords.

The text is put into the workflow as it is. Kepler runs it with Jython: the syntax is that of
Python 2.7, and the Java classes are imported where they are used.
"""
# Jython has no pathlib.
# ruff: noqa: PTH103, PTH104, PTH112, PTH118

import os
import shutil
import subprocess

UNKNOWN = "UNKNOWN"


def name_parts(template):
    """Split ``KEYWORD,'text',KEYWORD`` into pairs (is it a keyword, what it says)."""
    parts = [part.strip() for part in template.split(",")]
    return [(not part.startswith("'"), part.strip("'")) for part in parts if part]


def product_stem(template, value_of):
    """Name of a product without directory and ending; `value_of` gives a keyword's text or None."""
    words = []
    for is_keyword, text in name_parts(template):
        words.append((value_of(text) or UNKNOWN) if is_keyword else text)
    return "".join(words).strip().replace(" ", "_").replace("/", "_")


def free_path(directory, stem, exists_mode, exists=os.path.exists):
    """Path of a product, with a version if the name is taken and must not be overwritten."""
    path = os.path.join(directory, stem + ".fits")
    if not exists(path) or exists_mode == "overwrite":
        return path
    if exists_mode == "stop":
        raise OSError("The final product " + path + " exists already")
    version = 1
    while exists(os.path.join(directory, stem + "_" + str(version) + ".fits")):
        version += 1
    return os.path.join(directory, stem + "_" + str(version) + ".fits")


def place(source, target, copy_mode):
    """Copy or link a product; never leave half a file under the final name."""
    if copy_mode == "link":
        # Jython has no os.symlink
        subprocess.check_call(["ln", "-sfn", source, target])
        return
    partial = target + ".part"
    shutil.copyfile(source, partial)
    os.rename(partial, target)


def header_reader(path):
    """Return a function that gives the text of a keyword of the primary header of a file."""
    from nom.tam.fits import Fits, FitsFactory

    FitsFactory.setUseHierarch(True)
    header = Fits(path).getHDU(0).getHeader()

    def value_of(keyword):
        card = header.findCard(keyword)
        return None if card is None else card.getValue()

    return value_of


class Main:
    """The actor: a set of files in, the same set under its final names out."""

    def fire(self):
        """Rename the files of one token."""
        from java.util import HashMap
        from org.eso.service import ExecutionServiceDB
        from org.eso.util import JSONTools
        from ptolemy.data import StringToken

        products = JSONTools.fromJSON(self.sof_in.get(0).stringValue())
        directory = os.path.join(self.text("FinalProductDirectory"), self.text("SubDir"))
        if not os.path.isdir(directory):
            os.makedirs(directory)
        aliases = HashMap()
        for product in products.getFiles():
            source = product.getName()
            target = self.rename(source, directory)
            aliases.put(target, source)
            product.setName(target)
        database = ExecutionServiceDB.fromFilename(self.text("BookkeepingDB"))
        database.addFinalProducts(products.getDatasetName(), aliases)
        self.sof_out.broadcast(StringToken(products.toJSON().toString(2)))

    def rename(self, source, directory):
        """Put one product under its final name and return that."""
        stem = product_stem(self.text("RenameKeywords"), header_reader(source))
        target = free_path(directory, stem, self.text("OutputExistsMode"))
        place(source, target, self.text("CopyMode"))
        return target

    def text(self, parameter):
        """Text of a parameter of the actor."""
        return getattr(self, parameter).getToken().stringValue()
