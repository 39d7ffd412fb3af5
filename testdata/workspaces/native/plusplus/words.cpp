#include <sstream>
#include <string>
#include <vector>

extern "C" int words(const char *text) {
    std::istringstream in(text);
    std::vector<std::string> all;
    for (std::string word; in >> word;) all.push_back(word);
    return static_cast<int>(all.size());
}
