#include "apps/loglog/report_drawings.hpp"

#include <unistd.h>

#include <boost/archive/iterators/binary_from_base64.hpp>
#include <boost/archive/iterators/transform_width.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "analysis/report/page.hpp"
#include "analysis/report/page_content.hpp"
#include "apps/loglog/browser.hpp"
#include "db/files/publish.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds longest_drawing{180};  // 1,000 runs take about ten on two cores

/// Draws every chart, those that a switch hides too, and leaves the images in the document in place of the page.
constexpr const char* export_script = R"(<script>
(async () => {
  const wanted = "FORMAT", images = {};
  try {
    const charts = JSON.parse(document.getElementById("report-data").textContent).charts;
    for (const {id} of charts) document.getElementById(id).hidden = false;
    for (const {id} of charts) {
      await loglogReport.draw(id);
      const view = loglogReport.views.get(id).view;
      view.background("white");
      images[id] = wanted === "svg" ? await view.toSVG() : await view.toImageURL("png", 2);
    }
  } catch (error) { images[""] = String(error); }
  const result = document.createElement("script");
  result.type = "application/json";
  result.id = "images";
  result.textContent = JSON.stringify(images).replaceAll("<", "\\u003c");
  document.body.replaceChildren(result);
})();
</script>
)";

/// The page in a file that is removed again.
class PageFile {
  public:
    PageFile(const std::string& html, const fs::path& beside) : path_{beside} {
        path_ += "." + std::to_string(::getpid()) + ".html";
        write_file(path_, html, Durability::process);
    }
    ~PageFile() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    PageFile(const PageFile&) = delete;
    PageFile& operator=(const PageFile&) = delete;

    const fs::path& path() const noexcept { return path_; }

  private:
    fs::path path_;
};

std::string decode_base64(std::string_view text) {
    using namespace boost::archive::iterators;
    using Bytes = transform_width<binary_from_base64<std::string_view::const_iterator>, 8, 6>;
    while (text.ends_with('=')) { text.remove_suffix(1); }
    const std::size_t size = text.size() * 3 / 4;
    std::string bytes;
    bytes.reserve(size);
    for (Bytes at{text.begin()}; bytes.size() < size; ++at) { bytes += static_cast<char>(*at); }
    return bytes;
}

std::string page_that_exports(const Report& report, ReportFormat format) {
    std::string html = render_page(report);
    std::string script = export_script;
    script.replace(script.find("FORMAT"), 6, to_text(format));
    return html.insert(html.rfind("</body>"), script);
}

/// Chart id -> SVG text or PNG bytes.
std::vector<std::pair<std::string, std::string>> images_in(const std::string& document, const fs::path& browser) {
    const PageContent content = read_page(document);
    const auto found = content.json.find("images");
    if (found == content.json.end()) {
        throw Error{browser.string() + " ended before the charts were drawn: its document holds no images"};
    }
    std::vector<std::pair<std::string, std::string>> images;
    const Json parsed = Json::parse(found->second);
    for (const auto& [id, image] : parsed.items()) {
        const auto text = image.get<std::string>();
        if (id.empty()) { throw Error{"the page's charts could not be drawn by " + browser.string() + ": " + text}; }
        constexpr std::string_view png = "data:image/png;base64,";
        images.emplace_back(id,
                            text.starts_with(png) ? decode_base64(std::string_view{text}.substr(png.size())) : text);
    }
    return images;
}

}  // namespace

std::vector<fs::path> draw_report(const Report& report, ReportFormat format, const fs::path& out) {
    const fs::path browser = find_browser();
    make_folder_of(out);
    fs::path stem = out;
    stem.replace_extension();
    if (format == ReportFormat::pdf) {
        const PageFile page{render_page(report), stem};
        std::fprintf(stderr, "report: printing the page with %s\n", browser.c_str());
        print_page(browser, page.path(), out, longest_drawing);
        return {out};
    }
    const PageFile page{page_that_exports(report, format), stem};
    std::fprintf(stderr, "report: drawing the charts with %s\n", browser.c_str());
    std::vector<fs::path> files;
    for (const auto& [id, image] : images_in(run_page(browser, page.path(), longest_drawing), browser)) {
        files.push_back(stem.string() + "-" + id + "." + to_text(format));
        write_file(files.back(), image, Durability::process);
    }
    if (files.empty()) { throw InputError{"report: none of the chosen runs has anything that a chart could show"}; }
    return files;
}

}  // namespace loglog
