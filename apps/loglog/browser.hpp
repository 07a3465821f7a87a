#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace loglog {

/// The Chromium that draws and prints pages: $LOGLOG_BROWSER, else the first of chromium, chromium-browser and
/// google-chrome on the path. Throws Error that says what to install where there is none, InputError where the variable
/// names no program.
std::filesystem::path find_browser();

/// Prints the page to a PDF file. Throws Error where the browser fails, takes longer than `limit`, or leaves no PDF.
void print_page(const std::filesystem::path& browser, const std::filesystem::path& page,
                const std::filesystem::path& pdf, std::chrono::seconds limit);

/// Opens the page, lets its scripts run to their end, and returns the document as HTML. Throws Error likewise.
std::string run_page(const std::filesystem::path& browser, const std::filesystem::path& page,
                     std::chrono::seconds limit);

}  // namespace loglog
