"""Reading bars from files and frames of many makes; `vecbt.data.reading.read` is where it begins."""
